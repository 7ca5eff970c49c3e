package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/labtest"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

type runFlags struct {
	spec specFlags
	outputFlags
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
		Long: `Run scenarios by name, by a pattern such as 'host-*', or by file; without arguments, run all. The command
creates the cluster if necessary. Each run has its own namespace and host names, and deletes them
afterwards. Scenarios run in parallel, except those marked exclusive. Each report is printed when its
scenario ends.

--until-step runs a scenario up to a step and keeps its namespace; --from-step continues there.
--mutants runs the mutants of each scenario, which are deliberate mistakes. Each mutant must make its
scenario fail in the specified step, for the specified reason. Otherwise, the exit code is 1.`,
		Example: `  ingresslab run host-routing
  ingresslab run canary --until-step 5     # to continue: --from-step 6
  ingresslab run --mutants 'host-*'
  ingresslab run -o junit --output-file out/report.xml`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeScenarios,
		RunE:              func(c *cobra.Command, args []string) error { return a.runScenarios(c, args, &flags) },
	}
	flags.spec.register(c)
	a.existing.register(c)
	f := c.Flags()
	flags.registerFile(c, outputPretty, outputJSON, outputJUnit)
	f.BoolVar(&flags.keep, "keep", false, "keep the namespaces of the scenarios")
	f.IntVar(&flags.parallel, "parallel", scenario.DefaultParallel, "number of scenarios that run in parallel")
	f.Uint64Var(&flags.seed, "seed", 0, "random seed; pass the seed from a report to repeat that run (default: random)")
	f.StringVar(&flags.until, "until-step", "", "stop after this step (number or name) and keep the namespace")
	f.StringVar(&flags.from, "from-step", "", "start at this step (number or name), in the namespace of a saved run")
	f.StringVar(&flags.run, "run-id", "", "ID of the saved run that --from-step continues (default: the newest)")
	f.BoolVar(&flags.mutants, "mutants", false, "run the mutants of each scenario; every mutant must fail")
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
	// Report an unwritable file before creating a cluster.
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
	many := many{app: a, out: a.progressTo(flags.output), parallel: flags.parallel}
	if flags.mutants {
		reports, code := many.mutants(c.Context(), scenarios, env)
		return a.report(flags.output, file, code, func(w io.Writer) error { return labtest.WriteMutants(w, flags.output, reports) })
	}
	reports, code := many.scenarios(c.Context(), scenarios, env)
	return a.report(flags.output, file, code, writer(flags.output, reports, scenario.WriteJUnit, scenario.WriteJSON))
}

func (f *runFlags) check() error {
	switch {
	case f.parallel < 1:
		return usagef("--parallel must be at least 1, but is %d", f.parallel)
	case f.run != "" && f.from == "":
		return usagef("--run-id needs --from-step")
	case f.mutants && (f.from != "" || f.until != ""):
		return usagef("--mutants cannot be combined with --from-step or --until-step")
	}
	return f.outputFlags.check()
}

// checkPart checks --from-step and --until-step, which need a single scenario with these steps.
func (f *runFlags) checkPart(scenarios []*scenario.Scenario) error {
	if f.from == "" && f.until == "" {
		return nil
	}
	if len(scenarios) != 1 {
		return usagef("--from-step and --until-step need a single scenario, but there are %d", len(scenarios))
	}
	return scenario.CheckPart(scenarios[0], scenario.Env{From: f.from, Until: f.until})
}

// codeOf returns the exit code for an outcome. A skip counts as success.
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

// loadScenarios finds and loads the scenarios in args, or all scenarios.
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

// relative returns path relative to the working directory if it is below it.
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

// many runs scenarios or mutants in one cluster, and prints their reports.
type many struct {
	app      *app
	out      io.Writer
	parallel int
}

// scenarios runs scenarios, and returns their reports with the worst exit code.
func (m many) scenarios(ctx context.Context, list []*scenario.Scenario, env scenario.Env) ([]*scenario.Report, int) {
	b := newBulletin(m.out, m.app.style(m.out), len(list), m.parallel)
	reports := m.batch(b, env).Scenarios(ctx, list)
	code, unstarted := b.code(ctx), 0
	for _, r := range reports {
		code = worse(code, codeOf(r.Outcome))
		if r.Outcome == scenario.Skipped && strings.HasPrefix(r.Reason, "not started") {
			unstarted++
		}
	}
	m.noteUnstarted(unstarted, "scenario")
	return reports, code
}

// mutants runs the mutants of scenarios, and returns their reports with the worst exit code.
func (m many) mutants(ctx context.Context, list []*scenario.Scenario, env scenario.Env) ([]*labtest.MutantReport, int) {
	total := 0
	for _, s := range list {
		if len(s.Mutants) == 0 {
			m.app.display.Note(fmt.Sprintf("scenario %s has no mutants", s.Metadata.Name))
		}
		total += len(s.Mutants)
	}
	b := newBulletin(m.out, m.app.style(m.out), total, 0)
	reports := m.batch(b, env).Mutants(ctx, list)
	code := b.code(ctx)
	for _, r := range reports {
		code = worse(code, codeOf(r.Outcome()))
	}
	m.noteUnstarted(total-len(reports), "mutant")
	printf(m.out, "%s\n", labtest.CountVerdicts(reports))
	return reports, code
}

func (m many) noteUnstarted(n int, noun string) {
	if n > 0 {
		m.app.display.Note(text.Count(n, noun) + " not started")
	}
}

func (m many) batch(b *bulletin, env scenario.Env) labtest.Batch {
	return labtest.Batch{Env: env, Parallel: m.parallel, Begin: func(name string) (*scenario.Pretty, func(error)) {
		w, done := b.begin(name)
		return scenario.NewPretty(w, b.styleOf()), func(err error) {
			done()
			if _, ok := errors.AsType[*scenario.PartError](err); ok {
				b.usage.Store(true)
			} else if err != nil {
				m.app.display.Note(oneLine(err.Error()))
			}
		}
	}}
}

// bulletin prints the reports of parallel jobs one after another. It prints a single job's report immediately, and buffers those
// of several jobs until they end. On a terminal, the bottom line lists the running jobs.
type bulletin struct {
	w           io.Writer
	style       scenario.Style
	immediate   bool
	mu          sync.Mutex
	running     []string
	done, total int
	usage       atomic.Bool // a run returned a usage error
}

// newBulletin returns a bulletin for total jobs, of which parallel run at a time. If parallel is 0, it buffers even a single job.
func newBulletin(w io.Writer, style scenario.Style, total, parallel int) *bulletin {
	return &bulletin{w: w, style: style, total: total, immediate: parallel == 1 || total == 1 && parallel > 0}
}

func (b *bulletin) styleOf() scenario.Style {
	style := b.style
	style.Live = style.Live && b.immediate
	return style
}

// begin returns the writer for the report of a job, and a function to call at its end.
func (b *bulletin) begin(name string) (w io.Writer, done func()) {
	if b.immediate {
		return b.w, func() {}
	}
	var text bytes.Buffer
	b.change(nil, func() { b.running = append(b.running, name) })
	return &text, func() {
		b.change(text.Bytes(), func() {
			at := slices.Index(b.running, name)
			b.running = slices.Delete(b.running, at, at+1)
			b.done++
		})
	}
}

// statusWidth limits the bottom line, because a wrapped line could not be erased.
const statusWidth = 76

// change applies how, prints a report, and redraws the bottom line.
func (b *bulletin) change(report []byte, how func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	how()
	if b.style.Live {
		printf(b.w, "\r\x1b[K")
	}
	_, _ = b.w.Write(report) // fails if the reader stops early
	if !b.style.Live || len(b.running) == 0 {
		return
	}
	line := []rune(fmt.Sprintf("… %d of %d done, running: %s", b.done, b.total, strings.Join(b.running, ", ")))
	if len(line) > statusWidth {
		line = append(line[:statusWidth-1], '…')
	}
	printf(b.w, "%s", b.style.Dim(string(line)))
}

// code returns the exit code for what the reports do not show: an interruption or a usage error.
func (b *bulletin) code(ctx context.Context) int {
	switch {
	case ctx.Err() != nil:
		return ExitInterrupted
	case b.usage.Load():
		return ExitUsage
	}
	return ExitOK
}
