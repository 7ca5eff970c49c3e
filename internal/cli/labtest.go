package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/compare"
	"github.com/ingresslab/ingresslab/internal/deploy"
	"github.com/ingresslab/ingresslab/internal/labtest"
	"github.com/ingresslab/ingresslab/internal/lesson/replay"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

type testFlags struct {
	outputFlags
	nodes, parallel int
	retry, keep     bool
}

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
named ` + labtest.TemporaryName + `-PROVIDER, and deletes them afterwards. With --name, it uses an existing
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
	// Report an unwritable file before the tests, which take minutes.
	file, err := openReport(flags.file)
	if err != nil {
		return err
	}
	defer file.discard()
	targets, err := a.testClusters(c, flags).Targets(c.Context())
	if err != nil {
		return err
	}
	w := a.progressTo(flags.output)
	report := labtest.Runner{
		Root: root, Parallel: flags.parallel, Retry: flags.retry, Keep: flags.keep,
		Progress: a.display, Pretty: labtest.NewPretty(w, a.style(w)), Reason: errorText,
		LessonEnv: func(up *cluster.Cluster) (replay.Env, error) { return a.lessonEnv(root, up) },
	}.Run(c.Context(), targets, plan)
	return a.report(flags.output, file, testCode(report), writer(flags.output, report, labtest.WriteJUnit, labtest.WriteJSON))
}

// testClusters returns the selection of --cluster, --name, and --nodes.
func (a *app) testClusters(c *cobra.Command, flags *testFlags) labtest.Selection {
	s := labtest.Selection{Providers: a.options(), Progress: a.display}
	if a.provider != auto {
		s.Provider = a.provider
	}
	if c.Flags().Changed("name") {
		s.Name = a.name
	}
	if c.Flags().Changed("nodes") {
		s.Nodes = flags.nodes
	}
	return s
}

// testCode returns the exit code of a report. It is ExitBroken if all clusters were skipped.
func testCode(report *labtest.Report) int {
	for _, place := range report.Places {
		if place.Outcome != scenario.Skipped {
			return codeOf(report.Outcome)
		}
	}
	return ExitBroken
}

func (a *app) checkTestFlags(flags *testFlags) error {
	switch {
	case flags.parallel < 1:
		return usagef("--parallel must be at least 1, but is %d", flags.parallel)
	case a.provider != auto && a.provider != kind.Name && a.provider != embedded.Name:
		return usagef("--cluster %s is not supported by dev test; use %s or %s", a.provider, kind.Name, embedded.Name)
	}
	return flags.check()
}

type compareFlags struct {
	outputFlags
	nodes int
	keep  bool
}

// downTimeout limits the deletion of a temporary cluster.
const downTimeout = 2 * time.Minute

func (a *app) compareCommand() *cobra.Command {
	var flags compareFlags
	c := &cobra.Command{
		Use:   "compare [SCENARIO...]",
		Short: "Compare scenario results on kind and embedded clusters",
		Long: `Run scenarios on a kind cluster and then on an embedded cluster, and show the differences: the outcome,
the failed step, and the failed expectation. Without arguments, run all scenarios.

The command uses running clusters of the name. Otherwise, it creates NAME-kind and NAME-embedded, and
deletes them afterwards. The exit code is 1 if the results differ, and 3 if a cluster is not available.`,
		Example: `  ingresslab dev compare
  ingresslab dev compare 'conformance-*' -o json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return a.compare(c, args, &flags) },
	}
	f := c.Flags()
	f.IntVar(&flags.nodes, "nodes", cluster.DefaultNodes, "number of nodes of each new cluster, including the control plane")
	flags.registerFile(c, outputPretty, outputJSON)
	f.BoolVar(&flags.keep, "keep", false, "keep the new clusters")
	return c
}

func (a *app) compare(c *cobra.Command, args []string, flags *compareFlags) error {
	spec, err := a.compareSpec(c, flags)
	if err != nil {
		return err
	}
	scenarios, err := a.loadScenarios(args)
	if err != nil {
		return err
	}
	file, err := openReport(flags.file)
	if err != nil {
		return err
	}
	defer file.discard()
	places, err := a.compareClusters(c.Context(), spec)
	if err != nil {
		return err
	}
	var sides []compare.Side
	code := ExitOK
	for _, p := range places {
		reports, ended, err := a.runPlace(c.Context(), p, scenarios, flags.keep)
		if err != nil {
			return fmt.Errorf("on %s: %w", p.provider.Name(), err)
		}
		sides = append(sides, compare.Side{Cluster: p.provider.Name(), Reports: reports})
		code = worse(code, ended)
		if c.Context().Err() != nil {
			return context.Cause(c.Context()) // an incomplete comparison would report differences
		}
	}
	comparison := compare.Compare(sides[0], sides[1])
	if flags.output == outputPretty {
		if err := compare.WriteTable(a.std.Out, comparison); err != nil {
			return err
		}
	}
	return a.report(flags.output, file, compareCode(comparison, code), func(w io.Writer) error { return compare.WriteJSON(w, comparison) })
}

// compareCode returns the exit code of a comparison. It ignores code, the worst exit code of the scenarios, unless it is ExitBroken.
func compareCode(c compare.Comparison, code int) int {
	switch {
	case code == ExitBroken:
		return code
	case len(c.Differences()) > 0:
		return ExitFailed
	}
	return ExitOK
}

func (a *app) compareSpec(c *cobra.Command, flags *compareFlags) (cluster.Spec, error) {
	spec := cluster.Spec{Name: a.name, HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort}
	if a.provider != auto {
		return spec, usagef("--cluster %s is not supported by dev compare, which uses %s and %s", a.provider, kind.Name, embedded.Name)
	}
	if err := flags.check(); err != nil {
		return spec, err
	}
	if c.Flags().Changed("nodes") {
		if err := checkNodes(flags.nodes); err != nil {
			return spec, err
		}
		spec.Nodes = flags.nodes
	}
	if err := spec.Check(); err != nil {
		return spec, err
	}
	// The longer of the two new names must be valid, too.
	longest := spec
	longest.Name = ownName(a.name, embedded.Name)
	return spec, longest.Check()
}

type place struct {
	provider cluster.Provider
	spec     cluster.Spec
}

// ownName returns the name of a new cluster for a comparison.
func ownName(name, provider string) string { return name + "-" + provider }

// compareClusters finds the two clusters. It checks both providers first, so that an unavailable second one is found early.
func (a *app) compareClusters(ctx context.Context, spec cluster.Spec) ([]place, error) {
	var places []place
	for _, provider := range a.options() {
		if provider.Name() != kind.Name && provider.Name() != embedded.Name {
			continue
		}
		p, err := a.compareCluster(ctx, provider, spec)
		if err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return places, nil
}

// compareCluster selects the running cluster of the name, a cluster that an earlier comparison kept, or a new one.
func (a *app) compareCluster(ctx context.Context, p cluster.Provider, spec cluster.Spec) (place, error) {
	own := ownName(spec.Name, p.Name())
	found, err := p.List(ctx)
	if err != nil {
		return place{}, err
	}
	for _, name := range []string{spec.Name, own} {
		for _, s := range found {
			if s.Name == name && s.State == cluster.Running {
				spec.Name = name
				return place{p, spec}, nil
			}
		}
	}
	spec.Name = own
	_, err = p.Ready(ctx, spec, a.display)
	if unready, ok := errors.AsType[*cluster.UnreadyError](err); ok {
		return place{}, fmt.Errorf("dev compare needs %s: %w; %s", p.Info().Noun, unready, labtest.FixOf(unready))
	}
	return place{p, spec}, err
}

// runPlace starts a cluster, runs the scenarios in it, and deletes it if it is new.
func (a *app) runPlace(
	ctx context.Context, p place, scenarios []*scenario.Scenario, keep bool,
) (reports []*scenario.Report, code int, err error) {
	root, err := a.checkout()
	if err != nil {
		return nil, ExitBroken, err
	}
	a.display.Note(fmt.Sprintf("running scenarios on %s, in cluster %q", p.provider.Name(), p.spec.Name))
	up, err := deploy.Lab{Provider: p.provider, Root: root, Progress: a.display}.Up(ctx, p.spec)
	if err != nil {
		return nil, ExitBroken, err
	}
	if up.Created && !keep {
		defer func() {
			down, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
			defer cancel()
			err = errors.Join(err, p.provider.Down(down, up.Name, a.display))
		}()
	}
	env, err := scenario.NewEnv(up)
	if err != nil {
		return nil, ExitBroken, err
	}
	reports, code = many{app: a, out: a.std.Err, parallel: scenario.DefaultParallel}.scenarios(ctx, scenarios, env)
	return reports, code, nil
}
