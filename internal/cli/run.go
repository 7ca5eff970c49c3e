package cli

import (
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// runFlags are the flags of run beside those of the cluster.
type runFlags struct {
	spec             specFlags
	output           string
	file             string
	keep, mutants    bool
	parallel         int
	seed             uint64
	from, until, run string
}

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	c := &cobra.Command{
		Use:   "run [SCENARIO...]",
		Short: "Run scenarios against the cluster",
		Long: `Run scenarios, all of them if none is named: by name, by a pattern such as 'host-*', or by
file. The cluster is brought up if need be. Every run has its own namespace and host names,
and removes them afterwards. Several scenarios run at the same time, but for those that say
that they change what others meet; each is reported whole when it has ended.

--until-step runs a scenario up to a step and keeps its namespace; --from-step goes on there. With
--mutants, what runs are the mistakes that scenarios list, each of which has to make its
scenario fail where and why it says: exit code 1 tells that one did not.`,
		Example: `  ingresslab run host-routing
  ingresslab run canary --until-step 5     # and then: --from-step 6
  ingresslab run --mutants 'host-*'
  ingresslab run -o junit --output-file out/report.xml`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeScenarios,
		RunE:              func(c *cobra.Command, args []string) error { return a.runScenarios(c, args, &flags) },
	}
	flags.spec.register(c)
	a.guest.register(c)
	f := c.Flags()
	f.StringVarP(&flags.output, "output", "o", outputPretty, "how to report: pretty, json or junit")
	f.StringVar(&flags.file, "output-file", "", "write the json or junit report to this file")
	f.BoolVar(&flags.keep, "keep", false, "leave what the scenarios made in the cluster")
	f.IntVar(&flags.parallel, "parallel", scenario.DefaultParallel, "how many scenarios run at the same time")
	f.Uint64Var(&flags.seed, "seed", 0, "what everything that a run draws follows from, as its report tells it (default: drawn)")
	f.StringVar(&flags.until, "until-step", "", "number or name of the last step to run; what it leaves is kept")
	f.StringVar(&flags.from, "from-step", "", "number or name of the first step to run, in the namespace of a run that was kept")
	f.StringVar(&flags.run, "run-id", "", "the kept run that --from-step goes on with (default: the newest)")
	f.BoolVar(&flags.mutants, "mutants", false, "run the scenarios' mutants, each of which has to be caught")
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
	if err := flags.checkPart(scenarios); err != nil {
		return err
	}
	// A report that cannot be written is said before a cluster is created.
	file, err := openReport(flags.file)
	if err != nil {
		return err
	}
	defer file.discard()
	up, err := a.bringUp(c, &flags.spec)
	if err != nil {
		return err
	}
	env, err := scenario.NewEnv(up)
	if err != nil {
		return err
	}
	env.Keep, env.Seed, env.From, env.Until, env.Run = flags.keep, flags.seed, flags.from, flags.until, flags.run
	many := many{app: a, out: a.reportTo(flags), parallel: flags.parallel}
	if flags.mutants {
		reports, code := many.mutants(c.Context(), scenarios, env)
		return a.report(flags.output, file, code, func(w io.Writer) error { return scenario.WriteMutants(w, flags.output, reports) })
	}
	reports, code := many.scenarios(c.Context(), scenarios, env)
	return a.report(flags.output, file, code, func(w io.Writer) error {
		if flags.output == outputJUnit {
			return scenario.WriteJUnit(w, reports)
		}
		return scenario.WriteJSON(w, reports)
	})
}

// report writes a report and ends the command with its code. A report that does not get into its file is not lost.
func (a *app) report(output string, file *reportFile, code int, write func(io.Writer) error) error {
	if output == outputPretty {
		return &outcome{code}
	}
	if file == nil {
		if err := write(a.std.Out); err != nil {
			return err
		}
		return &outcome{code}
	}
	if err := file.write(write); err != nil {
		a.display.Note("the report goes to the standard output instead")
		_ = write(a.std.Out) // the error before it is the one to tell
		return err
	}
	return &outcome{code}
}

func (f *runFlags) check() error {
	if err := checkOutput(f.output, outputPretty, outputJSON, outputJUnit); err != nil {
		return err
	}
	part := f.from != "" || f.until != ""
	switch {
	case f.file != "" && f.output == outputPretty:
		return usagef("--output-file: needs -o json or -o junit")
	case f.parallel < 1:
		return usagef("--parallel: %d is not at least 1", f.parallel)
	case f.run != "" && f.from == "":
		return usagef("--run-id: names the run to go on with, so it goes with --from-step STEP")
	case f.mutants && part:
		return usagef("--mutants: a mutant runs up to where it is caught, --from-step and --until-step make no sense")
	}
	return nil
}

// checkPart refuses a part of more than one scenario, or one that the scenario does not have.
func (f *runFlags) checkPart(scenarios []*scenario.Scenario) error {
	if f.from == "" && f.until == "" {
		return nil
	}
	if len(scenarios) != 1 {
		return usagef("--from-step and --until-step: are about the steps of one scenario, and %d are named", len(scenarios))
	}
	return scenario.CheckPart(scenarios[0], scenario.Env{From: f.from, Until: f.until})
}

// reportTo is where people read along: the standard output if that is what was asked for, beside the report otherwise.
func (a *app) reportTo(f *runFlags) io.Writer {
	if f.output != outputPretty {
		return a.std.Err
	}
	return a.std.Out
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
