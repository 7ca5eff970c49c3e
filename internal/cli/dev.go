package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/benchmark"
	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson/replay"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

func (a *app) devCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dev",
		Short: "Test and maintain labs and scenarios",
		Long:  "Commands for authors of labs and scenarios, and for developers of the controller.",
		Example: `  ingresslab dev lint                # check all scenario and lab files
  ingresslab dev test 1 canary       # test a lab and a scenario, with their mutants`,
	}
	asGroup(c)
	c.AddCommand(
		a.testCommand(), a.compareCommand(), a.lintCommand(),
		a.replayCommand("verify", "Compare recorded lesson outputs with actual outputs", replay.Verify),
		a.replayCommand("record", "Write actual outputs into lessons", replay.Record),
		a.benchmarkCommand())
	return c
}

func (a *app) lintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check scenario and lab files for errors",
		Long: `Check scenario and lab files for unknown fields, missing manifests, and invalid durations or URLs.
Without arguments, check all files of the checkout. The command prints each error on one line, with
file, line, and column. The exit code is 1 if there are errors.`,
		Example: "  ingresslab dev lint scenarios/host-routing",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				root, err := a.checkout()
				if err != nil {
					return err
				}
				args = []string{
					relative(filepath.Join(root, scenariosDir)),
					relative(filepath.Join(root, labsDir)),
				}
			}
			return a.lint(args)
		},
	}
}

func (a *app) lint(paths []string) error {
	diagnostics, files, err := lab.Lint(paths)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("lint: %v", err)
	}
	if err != nil {
		return err
	}
	for _, f := range diagnostics {
		printf(a.std.Out, "%s\n", f)
	}
	if len(diagnostics) > 0 {
		printf(a.std.Err, "✗ %s (%s checked)\n", text.Count(len(diagnostics), "error"), text.Count(len(files), "file"))
		return &outcome{ExitFailed}
	}
	printf(a.std.Err, "✓ no errors (%s checked)\n", text.Count(len(files), "file"))
	return nil
}

// replayFunc is replay.Verify or replay.Record.
type replayFunc func(context.Context, *lab.Lab, replay.Env) (*replay.Report, error)

func (a *app) replayCommand(verb, short string, do replayFunc) *cobra.Command {
	var flags specFlags
	var output outputFlags
	c := &cobra.Command{
		Use:   verb + " N|NAME...",
		Short: short,
		Long: short + `. The command runs the lesson's commands as a student
does, in a temporary workspace. First it resets the lab's namespace to its start and deletes everything
else in it.`,
		Example: "  ingresslab dev " + verb + " 1 2",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("dev %s needs the number or name of a lab; run `ingresslab list` for a list", verb)
			}
			return output.check()
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.replayLessons(c, args, &flags, output.output, do)
		},
	}
	output.register(c, outputPretty, outputJSON)
	flags.register(c)
	a.existing.register(c)
	return c
}

func (a *app) replayLessons(c *cobra.Command, args []string, flags *specFlags, output string, do replayFunc) error {
	root, labs, err := a.loadLabs(args)
	if err != nil {
		return err
	}
	up, err := a.bringUp(c, flags)
	if err != nil {
		return err
	}
	env, err := a.lessonEnv(root, up)
	if err != nil {
		return err
	}
	if output != outputJSON {
		env.Progress = func(p replay.Result) { printf(a.std.Out, "  %s\n", commandLine(p)) }
	}
	var reports []*replay.Report
	code := ExitOK
	for _, l := range labs {
		if output != outputJSON {
			printf(a.std.Out, "lesson %d: %s\n", l.Number, l.Title)
		}
		report, err := a.replayLesson(c.Context(), l, c.Name(), env, do)
		if err != nil {
			return fmt.Errorf("lesson %d (%s): %w", l.Number, l.Name, err)
		}
		reports = append(reports, report)
		if len(report.Faults) > 0 {
			code = ExitFailed
		}
		if output != outputJSON {
			a.printReplay(report)
		}
	}
	if output == outputJSON {
		if err := scenario.EncodeJSON(a.std.Out, reports); err != nil {
			return err
		}
	}
	return &outcome{code}
}

// replayLesson replays one lesson, unless another process uses the lab.
func (a *app) replayLesson(ctx context.Context, l *lab.Lab, verb string, env replay.Env, do replayFunc) (*replay.Report, error) {
	release, err := lab.Lock(l, a.name, "dev "+verb)
	if err != nil {
		return nil, err
	}
	defer release()
	report, err := do(ctx, l, env)
	if err == nil && l.Exclusive {
		// The objects of an exclusive lab would affect later lessons.
		if err := lab.NewSession(l, env.Env).Remove(ctx); err != nil {
			return nil, fmt.Errorf("remove lab %d: %w", l.Number, err)
		}
	}
	return report, err
}

// lessonEnv returns the environment of a replay: the cluster and this program.
func (a *app) lessonEnv(root string, up *cluster.Cluster) (replay.Env, error) {
	env, err := lab.NewEnv(up)
	if err != nil {
		return replay.Env{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return replay.Env{}, err
	}
	return replay.Env{
		Env: env, Cluster: up, Root: root,
		Program: []string{program, "--cluster", up.Provider, "--name", up.Name},
	}, nil
}

func commandLine(p replay.Result) string {
	mark := "✓"
	switch {
	case p.Problem != "":
		mark = "✗"
	case !p.Matches:
		mark = "≠"
	}
	return fmt.Sprintf("%s %s (%.1fs)", mark, p.Summary(), p.Seconds)
}

func (a *app) printReplay(r *replay.Report) {
	for _, f := range r.Faults {
		printf(a.std.Out, "%s\n", f)
	}
	commands := text.Count(len(r.Commands), "command")
	switch {
	case len(r.Faults) > 0:
		printf(a.std.Out, "✗ %s in %s (%.0fs)\n", text.Count(len(r.Faults), "error"), commands, r.Seconds)
	case r.Changed:
		printf(a.std.Out, "✓ replayed %s and updated the lesson; review it with `git diff` (%.0fs)\n", commands, r.Seconds)
	default:
		printf(a.std.Out, "✓ %s: all outputs match (%.0fs)\n", commands, r.Seconds)
	}
}

type benchmarkFlags struct {
	spec specFlags
	size benchmark.Size
	outputFlags
	keep bool
}

func (a *app) benchmarkCommand() *cobra.Command {
	var flags benchmarkFlags
	c := &cobra.Command{
		Use:   "benchmark",
		Short: "Measure the controller with thousands of Ingresses and pods",
		Long: `Create Ingresses, Services, and virtual pods (Ready in the API, but without a process) in an embedded
cluster. Restart the controller, replace pods at a fixed rate, and print the time to sync, memory, CPU,
the time to build a table, and the time until an endpoint change reaches clients. docs/scale.md
explains the metrics.

If the cluster does not exist, the command creates one with one node, and deletes it afterwards. In a
cluster that exists, it deletes only the objects of the benchmark.`,
		Example: `  ingresslab dev benchmark --ingresses 1000 --pods 2000 --churn 10
  ingresslab dev benchmark --ingresses 10000 --pods 20000 --churn 10 --duration 1m -o json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchmark(c, &flags) },
	}
	flags.spec.register(c)
	f := c.Flags()
	f.Lookup("nodes").DefValue = "1" // for the help; benchmark sets the value
	f.IntVar(&flags.size.Ingresses, "ingresses", 1000, "number of Ingresses, each with its own host")
	f.IntVar(&flags.size.Pods, "pods", 2000, "number of virtual pods")
	f.IntVar(&flags.size.Services, "services", 0, "number of Services (default: one for each Ingress)")
	f.Float64Var(&flags.size.Churn, "churn", 10, "number of pods to replace per second; 0 replaces none")
	f.DurationVar(&flags.size.Duration, "duration", 30*time.Second, "how long to replace pods")
	flags.register(c, outputPretty, outputJSON)
	f.BoolVar(&flags.keep, "keep", false, "keep the cluster and all objects in it")
	return c
}

func (a *app) benchmark(c *cobra.Command, flags *benchmarkFlags) (err error) {
	if err := flags.check(); err != nil {
		return err
	}
	if err := flags.size.Check(); err != nil {
		return benchmarkError(err)
	}
	exists, err := a.selectEmbedded(c.Context())
	if err != nil {
		return err
	}
	if !exists && !c.Flags().Changed("nodes") {
		if err := c.Flags().Set("nodes", "1"); err != nil { // a single controller uses the whole machine
			return err
		}
	}
	up, err := a.bringUp(c, &flags.spec)
	if err != nil {
		return err
	}
	remove := up.Created && !flags.keep
	if remove {
		defer func() { err = errors.Join(err, a.down(context.WithoutCancel(c.Context()))) }()
	}
	report, err := benchmark.Run(c.Context(), up, benchmark.Options{
		Size: flags.size, Keep: flags.keep || remove, Progress: a.display,
	})
	if err != nil {
		return benchmarkError(err)
	}
	if flags.output == outputJSON {
		return report.WriteJSON(a.std.Out)
	}
	return report.WriteTable(a.std.Out)
}

// selectEmbedded selects the embedded provider, and reports whether the cluster exists. Another provider is an error.
func (a *app) selectEmbedded(ctx context.Context) (exists bool, err error) {
	if a.provider != auto && a.provider != benchmark.Provider {
		return false, benchmarkError(&benchmark.UnsupportedError{Name: a.name, Provider: a.provider})
	}
	if err := (cluster.Spec{Name: a.name}).Check(); err != nil {
		return false, err
	}
	found, err := a.options().Find(ctx, a.name)
	if err != nil {
		return false, err
	}
	exists = slices.ContainsFunc(found, func(f autoselect.Found) bool { return f.Provider.Name() == benchmark.Provider })
	if !exists && len(found) > 0 && a.provider == auto {
		return false, benchmarkError(&benchmark.UnsupportedError{Name: a.name, Provider: found[0].Provider.Name()})
	}
	a.provider = benchmark.Provider
	return exists, nil
}

// benchmarkError turns an error in the flags into a usage error.
func benchmarkError(err error) error {
	var limit *benchmark.LimitError
	var unsupported *benchmark.UnsupportedError
	if errors.As(err, &limit) || errors.As(err, &unsupported) {
		return usagef("%v", err)
	}
	return err
}
