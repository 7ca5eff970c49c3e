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
	"github.com/ingresslab/ingresslab/internal/cluster/embedded"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/deploy"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/labtest"
	"github.com/ingresslab/ingresslab/internal/lesson/replay"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

type testFlags struct {
	outputFlags
	nodes, parallel int
	retry, keep     bool
}

// testCluster is the name of temporary clusters, without the provider.
const testCluster = "ingresslab-test"

func (a *app) testCommand() *cobra.Command {
	var flags testFlags
	c := &cobra.Command{
		Use:   "test [LAB|SCENARIO...]",
		Short: "Test that labs accept right answers and reject wrong ones",
		Long: `Test labs and scenarios; without arguments, test all. A lab must fail at the start, pass with its
solution task by task, and fail with each mutant (a plausible wrong answer) for the specified reason.
It must also give each hint for some mutant, answer its quiz, match the outputs in its lesson, and
return to the start after a reset. A scenario with mutants must pass, and fail with each mutant.

The tests run on each cluster type that the machine supports, one after another: kind if a container
engine is available, and embedded on Linux. --cluster selects one of them. The command creates clusters
named ` + testCluster + `-PROVIDER, and deletes them afterwards. With --name, it uses an existing
cluster, which must not have the labs' namespaces.

The exit code is 1 if a test fails, and 3 if no cluster is available.`,
		Example: `  ingresslab dev test
  ingresslab dev test 1 canary --cluster embedded -o junit --output-file out/test.xml`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeLabsAndScenarios,
		RunE:              func(c *cobra.Command, args []string) error { return a.test(c, args, &flags) },
	}
	f := c.Flags()
	f.IntVar(&flags.nodes, "nodes", cluster.DefaultNodes, "number of nodes of a new cluster, including the control plane")
	f.IntVar(&flags.parallel, "parallel", labtest.DefaultParallel, "number of labs and scenarios to test in parallel")
	f.BoolVar(&flags.retry, "retry", false, "retry failed labs and scenarios one at a time; report both attempts")
	f.BoolVar(&flags.keep, "keep", false, "keep the new clusters and the labs in them")
	flags.registerFile(c, outputPretty, outputJSON, outputJUnit)
	return c
}

func (a *app) test(c *cobra.Command, args []string, flags *testFlags) error {
	if err := a.checkTestFlags(flags); err != nil {
		return err
	}
	root, err := a.checkout()
	if err != nil {
		return err
	}
	plan, err := labtest.LoadPlan(relative(filepath.Join(root, labsDir)), relative(filepath.Join(root, scenariosDir)), args)
	if err != nil {
		return err
	}
	// An unwritable report is found before the tests, which take minutes.
	file, err := openReport(flags.file)
	if err != nil {
		return err
	}
	defer file.discard()
	sites, err := a.testSites(c, flags)
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
		place := a.testSite(c.Context(), s, plan, flags, pretty)
		places = append(places, place)
		if c.Context().Err() != nil {
			break
		}
	}
	proof := labtest.NewProof(places...)
	return a.report(flags.output, file, testCode(proof), func(w io.Writer) error {
		if flags.output == outputJUnit {
			return labtest.WriteJUnit(w, proof)
		}
		return labtest.WriteJSON(w, proof)
	})
}

// testCode returns the exit code of a report. It is ExitBroken if all clusters were skipped.
func testCode(proof *labtest.Proof) int {
	for _, place := range proof.Places {
		if place.Outcome != scenario.Skipped {
			return codeOf(proof.Outcome)
		}
	}
	return ExitBroken
}

func (a *app) checkTestFlags(flags *testFlags) error {
	switch {
	case flags.parallel < 1:
		return usagef("--parallel must be at least 1, but is %d", flags.parallel)
	case flags.nodes < 1:
		return &cluster.SpecError{Flag: "--nodes", Why: fmt.Sprintf("%d is not between 1 and %d", flags.nodes, cluster.MaxNodes)}
	case a.provider != auto && a.provider != kind.Name && a.provider != embedded.Name:
		return usagef("--cluster %s is not supported by dev test; use %s or %s", a.provider, kind.Name, embedded.Name)
	}
	return flags.check()
}

// site is a cluster to use or to create, or the reason why the provider is not available.
type site struct {
	provider cluster.Provider
	spec     cluster.Spec
	// mine is true for a temporary cluster of this command.
	mine   bool
	absent *labtest.Place
}

// testSites returns the clusters for the tests, the preferred provider first.
func (a *app) testSites(c *cobra.Command, flags *testFlags) ([]site, error) {
	if c.Flags().Changed("name") {
		return a.testExisting(c.Context())
	}
	var sites []site
	for _, p := range a.options() {
		name := p.Name()
		if name != kind.Name && name != embedded.Name || a.provider != auto && a.provider != name {
			continue
		}
		s := site{provider: p, mine: true, spec: cluster.Spec{
			Name: testCluster + "-" + name, HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort,
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
				s.absent.Outcome = scenario.Broken // the user selected it
			}
		}
		sites = append(sites, s)
	}
	return sites, nil
}

// absence returns the reason why a provider is not available, if it is not.
func (a *app) absence(ctx context.Context, s site) (string, error) {
	if s.provider.Name() == embedded.Name && runtime.GOOS != "linux" {
		return "embedded clusters need Linux, but this machine runs " + runtime.GOOS, nil
	}
	_, err := s.provider.Ready(ctx, s.spec, a.display)
	var unready *cluster.UnreadyError
	if errors.As(err, &unready) {
		if unready.Slow && a.provider == s.provider.Name() {
			return "", nil // the user selected this provider
		}
		return fmt.Sprintf("%v; %s", unready, fixOf(unready)), nil
	}
	return "", err
}

// testExisting returns the cluster of --name.
func (a *app) testExisting(ctx context.Context) ([]site, error) {
	found, err := a.options().Find(ctx, a.name)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if (a.provider == auto || a.provider == f.Provider.Name()) && f.State == cluster.Running {
			return []site{{provider: f.Provider, spec: cluster.Spec{Name: a.name}}}, nil
		}
	}
	return nil, fmt.Errorf("no running cluster %q; omit --name to use a new cluster", a.name)
}

// testSite runs the plan in one cluster, and deletes the cluster afterwards if it is temporary.
func (a *app) testSite(ctx context.Context, s site, plan labtest.Plan, flags *testFlags, pretty *labtest.Pretty) *labtest.Place {
	if s.absent != nil {
		pretty.Absent(s.absent)
		return s.absent
	}
	place := &labtest.Place{Provider: s.provider.Name(), Cluster: s.spec.Name, Started: time.Now(), Items: []*labtest.Item{}}
	env, down, err := a.testEnv(ctx, s, flags)
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

// testEnv starts the cluster. down deletes a temporary cluster; it is never nil.
func (a *app) testEnv(ctx context.Context, s site, flags *testFlags) (env labtest.Env, down func() error, err error) {
	down = func() error { return nil }
	root, err := a.checkout()
	if err != nil {
		return env, down, err
	}
	up, err := deploy.Lab{Provider: s.provider, Root: root, Progress: a.display}.Up(ctx, s.spec)
	if err != nil {
		return env, down, err
	}
	if s.mine && !flags.keep {
		down = func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
			defer cancel()
			return s.provider.Down(ctx, up.Name, a.display)
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

// verifyLesson replays a lesson, and returns the number of its commands and its errors.
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
