package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// runFlags are the flags of run beside those of the cluster.
type runFlags struct {
	spec   specFlags
	output string
	file   string
	keep   bool
}

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	c := &cobra.Command{
		Use:   "run [SCENARIO...]",
		Short: "Run scenarios against the cluster",
		Long: `Run scenarios, all of them if none is named: by name, by a pattern such as 'host-*', or by
file. The cluster is brought up if need be. Every run has its own namespace and host names,
and removes them afterwards.`,
		Example: `  ingresslab run host-routing
  ingresslab run -o junit --output-file out/report.xml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return a.runScenarios(c, args, &flags) },
	}
	flags.spec.register(c)
	a.guest.register(c)
	f := c.Flags()
	f.StringVarP(&flags.output, "output", "o", outputPretty, "how to report: pretty, json or junit")
	f.StringVar(&flags.file, "output-file", "", "write the json or junit report to this file")
	f.BoolVar(&flags.keep, "keep", false, "leave what the scenarios made in the cluster")
	return c
}

func (a *app) runScenarios(c *cobra.Command, args []string, flags *runFlags) error {
	if err := flags.check(); err != nil {
		return err
	}
	scenarios, err := a.loadScenarios(args)
	if err != nil {
		return err
	}
	up, err := a.bringUp(c, &flags.spec)
	if err != nil {
		return err
	}
	env, err := scenario.NewEnv(up)
	if err != nil {
		return err
	}
	env.Keep = flags.keep
	env.Progress = a.runProgress(flags)
	reports, code := a.runAll(c.Context(), scenarios, env)
	if err := writeReports(a.std.Out, flags.output, flags.file, reports); err != nil {
		return err
	}
	return &outcome{code}
}

func (f *runFlags) check() error {
	if err := checkOutput(f.output, outputPretty, outputJSON, outputJUnit); err != nil {
		return err
	}
	if f.file != "" && f.output == outputPretty {
		return usagef("--output-file: needs -o json or -o junit")
	}
	return nil
}

// runProgress writes for people: to the standard output if that is what was
// asked for, beside the report otherwise.
func (a *app) runProgress(f *runFlags) scenario.Progress {
	w := a.std.Out
	if f.output != outputPretty {
		w = a.std.Err
	}
	return scenario.NewPretty(w, a.style(w))
}

// runAll runs one scenario after the other, and returns the exit code of the
// worst. A broken lab ends it: the next scenario would say the same.
func (a *app) runAll(ctx context.Context, list []*scenario.Scenario, env scenario.Env) ([]*scenario.Report, int) {
	var reports []*scenario.Report
	code := ExitOK
	for _, s := range list {
		report, err := scenario.Run(ctx, s, env)
		reports = append(reports, report)
		code = worse(code, codeOf(report.Outcome))
		if err != nil {
			a.display.Note(oneLine(err.Error()))
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	return reports, code
}

// codeOf is the exit code of an outcome. A skip is no failure: it is explained.
func codeOf(o scenario.Outcome) int {
	switch o {
	case scenario.Passed, scenario.Skipped:
		return ExitOK
	case scenario.Failed:
		return ExitFailed
	case scenario.TimedOut:
		return ExitTimeout
	case scenario.Interrupted:
		return ExitInterrupted
	}
	return ExitBroken
}

// loadScenarios finds and loads what args name, before anything is created.
func (a *app) loadScenarios(args []string) ([]*scenario.Scenario, error) {
	root, err := a.checkout()
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		args = []string{"*"}
	}
	var list []*scenario.Scenario
	seen := map[string]bool{}
	for _, arg := range args {
		paths, err := scenario.Find(filepath.Join(root, scenariosDir), arg)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			if seen[path] {
				continue
			}
			seen[path] = true
			s, err := scenario.Load(relative(path))
			if err != nil {
				return nil, err
			}
			list = append(list, s)
		}
	}
	return list, nil
}

// Directories of the checkout.
const (
	scenariosDir = "scenarios"
	labsDir      = "labs"
)

// relative shortens a path below the working directory, for people to read.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return rel
}
