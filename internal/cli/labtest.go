package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/deploy"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/labtest"
	"github.com/ingresslab/ingresslab/internal/lesson/replay"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// proveFlags are the flags of prove.
type proveFlags struct {
	nodes    int
	retry    bool
	parallel int
	keep     bool
	output   string
	file     string
}

// proveCluster is what clusters that are made for a proof are called; the provider follows.
const proveCluster = "ingresslab-prove"

// proveDownTimeout bounds the removal of a cluster that was made for a proof.
const proveDownTimeout = 2 * time.Minute

func (a *app) testCommand() *cobra.Command {
	var flags proveFlags
	c := &cobra.Command{
		Use:   "test [LAB|SCENARIO...]",
		Short: "Prove that labs and scenarios tell right from wrong",
		Long: `Prove labs and scenarios, all of them if none is named. A lab has to fail from start/, to pass with
solution/ task by task, to catch each of its mutants (plausible wrong answers) for the reason that they
say, to give each of its hints somewhere, to answer its quiz, to say what the lesson prints, and to be as
at first after a reset. A scenario with mutants has to pass, and to fail with each of them.

This is done on every sort of cluster that this machine can have, one after the other: kind if a container
engine answers, embedded on Linux. --cluster restricts it to one of them. The clusters are called
` + proveCluster + `-PROVIDER; they are made for it and removed afterwards. --name means a cluster that
exists instead, in which the labs' namespaces must not be in use: they are removed.

The exit code is 1 if something is not as it should be, 3 if a cluster could not be had.`,
		Example: `  ingresslab dev test
  ingresslab dev test 1 canary --cluster embedded -o junit --output-file out/prove.xml`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeLabsAndScenarios,
		RunE:              func(c *cobra.Command, args []string) error { return a.prove(c, args, &flags) },
	}
	f := c.Flags()
	f.IntVar(&flags.nodes, "nodes", cluster.DefaultNodes, "nodes of a new cluster, the control plane included")
	f.IntVar(&flags.parallel, "parallel", labtest.DefaultParallel, "how many labs and scenarios to prove at the same time")
	f.BoolVar(&flags.retry, "retry", false, "give what was not proven a second try, alone in the cluster; both are reported")
	f.BoolVar(&flags.keep, "keep", false, "leave the clusters that were made, and the labs in them")
	f.StringVarP(&flags.output, "output", "o", outputPretty, "how to report: pretty, json or junit")
	f.StringVar(&flags.file, "output-file", "", "write the json or junit report to this file")
	return c
}

func (a *app) prove(c *cobra.Command, args []string, flags *proveFlags) error {
	if err := a.checkProve(flags); err != nil {
		return err
	}
	plan, err := a.provePlan(args)
	if err != nil {
		return err
	}
	// A report that cannot be written is said before anything is proven, which takes minutes.
	file, err := openReport(flags.file)
	if err != nil {
		return err
	}
	defer file.discard()
	sites, err := a.proveSites(c, flags)
	if err != nil {
		return err
	}
	w := a.std.Out
	if flags.output != outputPretty {
		w = a.std.Err
	}
	pretty := labtest.NewPretty(w, a.style(w))
	var places []*labtest.Place
	for _, s := range sites {
		place := a.proveAt(c.Context(), s, plan, flags, pretty)
		places = append(places, place)
		if c.Context().Err() != nil {
			break
		}
	}
	proof := labtest.NewProof(places...)
	return a.report(flags.output, file, proveCode(proof), func(w io.Writer) error {
		if flags.output == outputJUnit {
			return labtest.WriteJUnit(w, proof)
		}
		return labtest.WriteJSON(w, proof)
	})
}

// proveCode is the exit code of a proof. That nothing could be proven anywhere is no success.
func proveCode(proof *labtest.Proof) int {
	for _, place := range proof.Places {
		if place.Outcome != scenario.Skipped {
			return codeOf(proof.Outcome)
		}
	}
	return ExitBroken
}

func (a *app) checkProve(flags *proveFlags) error {
	if err := checkOutput(flags.output, outputPretty, outputJSON, outputJUnit); err != nil {
		return err
	}
	switch {
	case flags.file != "" && flags.output == outputPretty:
		return usagef("--output-file: needs -o json or -o junit")
	case flags.parallel < 1:
		return usagef("--parallel: %d is not at least 1", flags.parallel)
	case flags.nodes < 1:
		return &cluster.SpecError{Flag: "--nodes", Why: fmt.Sprintf("%d is not between 1 and %d", flags.nodes, cluster.MaxNodes)}
	case a.provider != auto && a.provider != kind.Name && a.provider != embedded.Name:
		return usagef("dev test makes its clusters itself, with %s or %s: --cluster %s makes no sense", kind.Name, embedded.Name, a.provider)
	}
	return nil
}

// provePlan finds and loads what args name, before anything is created. A name that a lab and a scenario share means both.
func (a *app) provePlan(args []string) (labtest.Plan, error) {
	var plan labtest.Plan
	root, err := a.checkout()
	if err != nil {
		return plan, err
	}
	if len(args) == 0 {
		return a.wholePlan(root)
	}
	labs, scenarios := map[string]bool{}, map[string]bool{}
	for _, arg := range args {
		dir, noLab := lab.Find(filepath.Join(root, labsDir), arg)
		if noLab == nil && !labs[dir] {
			labs[dir] = true
			l, err := lab.Load(relative(dir))
			if err != nil {
				return plan, err
			}
			plan.Labs = append(plan.Labs, l)
		}
		paths, noScenario := scenario.Find(filepath.Join(root, scenariosDir), arg)
		if noLab != nil && noScenario != nil {
			return plan, errors.Join(noScenario, noLab)
		}
		for _, path := range paths {
			if scenarios[path] {
				continue
			}
			scenarios[path] = true
			s, err := scenario.Load(relative(path))
			if err != nil {
				return plan, err
			}
			plan.Scenarios = append(plan.Scenarios, s)
		}
	}
	return plan, nil
}

// wholePlan is every lab, and every scenario that has mutants.
func (a *app) wholePlan(root string) (labtest.Plan, error) {
	var plan labtest.Plan
	entries, err := lab.List(filepath.Join(root, labsDir))
	if err != nil {
		return plan, err
	}
	for _, e := range entries {
		l, err := lab.Load(relative(e.Dir))
		if err != nil {
			return plan, err
		}
		plan.Labs = append(plan.Labs, l)
	}
	all, err := a.loadScenarios(nil)
	if err != nil {
		return plan, err
	}
	for _, s := range all {
		if len(s.Mutants) > 0 {
			plan.Scenarios = append(plan.Scenarios, s)
		}
	}
	return plan, nil
}

// site is a sort of cluster, and the cluster to use or to make; or why there is none.
type site struct {
	option autoselect.Option
	spec   cluster.Spec
	// mine says that the cluster is made for the proof, or was for an earlier one.
	mine   bool
	absent *labtest.Place
}

// proveSites are the clusters to prove on, the most real first.
func (a *app) proveSites(c *cobra.Command, flags *proveFlags) ([]site, error) {
	options, err := a.options()
	if err != nil {
		return nil, err
	}
	if c.Flags().Changed("name") {
		return a.proveGuest(c.Context(), options)
	}
	var sites []site
	for _, o := range options {
		name := o.Provider.Name()
		if name != kind.Name && name != embedded.Name || a.provider != auto && a.provider != name {
			continue
		}
		s := site{option: o, mine: true, spec: cluster.Spec{
			Name: proveCluster + "-" + name, HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort,
		}}
		if c.Flags().Changed("nodes") {
			s.spec.Nodes = flags.nodes
		}
		if err := s.spec.Check(); err != nil {
			return nil, err
		}
		why, err := a.absence(c.Context(), s)
		if err != nil {
			return nil, err
		}
		if why != "" {
			s.absent = &labtest.Place{Provider: name, Outcome: scenario.Skipped, Reason: why, Items: []*labtest.Item{}}
			if a.provider == name {
				s.absent.Outcome = scenario.Broken // it was asked for
			}
		}
		sites = append(sites, s)
	}
	return sites, nil
}

// absence says why a provider cannot make a cluster here; empty if it can.
func (a *app) absence(ctx context.Context, s site) (string, error) {
	if s.option.Provider.Name() == embedded.Name && runtime.GOOS != "linux" {
		return "embedded clusters take Linux, and this is " + runtime.GOOS, nil
	}
	_, err := s.option.Ready(ctx, s.spec, a.display)
	var unready *autoselect.UnreadyError
	if errors.As(err, &unready) {
		if unready.Slow && a.provider == s.option.Provider.Name() {
			return "", nil // whoever asks for it by name gets it
		}
		return fmt.Sprintf("%v; %s", unready, parityRemedy(unready)), nil
	}
	return "", err
}

// proveGuest is the cluster that --name names.
func (a *app) proveGuest(ctx context.Context, options autoselect.Options) ([]site, error) {
	found, err := options.Find(ctx, a.name)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if (a.provider == auto || a.provider == f.Provider.Name()) && f.State == cluster.Running {
			return []site{{option: f.Option, spec: cluster.Spec{Name: a.name}}}, nil
		}
	}
	return nil, fmt.Errorf("no running cluster %q to prove in; without --name, one is made for it", a.name)
}

// proveAt proves the plan in one cluster, which is removed afterwards if it was made for that.
func (a *app) proveAt(ctx context.Context, s site, plan labtest.Plan, flags *proveFlags, pretty *labtest.Pretty) *labtest.Place {
	if s.absent != nil {
		pretty.Absent(s.absent)
		return s.absent
	}
	place := &labtest.Place{Provider: s.option.Provider.Name(), Cluster: s.spec.Name, Started: time.Now(), Items: []*labtest.Item{}}
	env, down, err := a.proveEnv(ctx, s, flags)
	place.UpSeconds = time.Since(place.Started).Seconds()
	defer func() {
		if err := down(); err != nil {
			a.display.Note(oneLine(err.Error()))
		}
	}()
	if err != nil {
		place.Outcome, place.Reason = scenario.Broken, oneLine(err.Error())
		if ctx.Err() != nil {
			place.Outcome, place.Reason = scenario.Interrupted, interruptedText(err)
		}
		pretty.Absent(place)
		return place
	}
	pretty.Place(place)
	env.Parallel, env.Again, env.Progress = flags.parallel, flags.retry, pretty.Item
	env.Keep, env.Guest = flags.keep, !s.mine
	labtest.Here(ctx, plan, env, place)
	pretty.Done(place)
	return place
}

// proveEnv brings the cluster up. down is never nil; it removes what was made.
func (a *app) proveEnv(ctx context.Context, s site, flags *proveFlags) (env labtest.Env, down func() error, err error) {
	down = func() error { return nil }
	root, err := a.checkout()
	if err != nil {
		return env, down, err
	}
	up, err := deploy.Lab{Provider: s.option.Provider, Root: root, Progress: a.display}.Up(ctx, s.spec)
	if err != nil {
		return env, down, err
	}
	if s.mine && !flags.keep {
		down = func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), proveDownTimeout)
			defer cancel()
			return s.option.Provider.Down(ctx, up.Name, a.display)
		}
	}
	lesson, err := a.lessonEnv(root, up)
	if err != nil {
		return env, down, err
	}
	env.Env = lesson.Env
	env.Lock = func(l *lab.Lab) (func(), error) { return lab.Lock(l, up.Name, "dev test") }
	env.Verify = func(ctx context.Context, l *lab.Lab) (int, []labtest.Fault, error) {
		return verifyLesson(ctx, l, lesson)
	}
	return env, down, nil
}

// verifyLesson plays a lesson, and returns how many commands it has.
func verifyLesson(ctx context.Context, l *lab.Lab, env replay.Env) (int, []labtest.Fault, error) {
	report, err := replay.Verify(ctx, l, env)
	if err != nil {
		return 0, nil, err
	}
	var faults []labtest.Fault
	for _, f := range report.Faults {
		faults = append(faults, labtest.Fault{File: f.File, Line: f.Line, Text: f.Message})
	}
	return len(report.Commands), faults, nil
}
