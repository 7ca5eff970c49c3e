package cli

import (
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
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
	// An unwritable report is found before the tests, which take minutes.
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
	proof := labtest.Runner{
		Root: root, Parallel: flags.parallel, Retry: flags.retry, Keep: flags.keep,
		Progress: a.display, Pretty: labtest.NewPretty(w, a.style(w)), Reason: errorText,
		LessonEnv: func(up *cluster.Cluster) (replay.Env, error) { return a.lessonEnv(root, up) },
	}.Run(c.Context(), targets, plan)
	return a.report(flags.output, file, testCode(proof), func(w io.Writer) error {
		if flags.output == outputJUnit {
			return labtest.WriteJUnit(w, proof)
		}
		return labtest.WriteJSON(w, proof)
	})
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
	case a.provider != auto && a.provider != kind.Name && a.provider != embedded.Name:
		return usagef("--cluster %s is not supported by dev test; use %s or %s", a.provider, kind.Name, embedded.Name)
	}
	return flags.check()
}
