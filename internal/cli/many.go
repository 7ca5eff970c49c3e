package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// many runs scenarios or mutants in one cluster, in parallel.
type many struct {
	app      *app
	out      io.Writer
	parallel int
}

// scenarios runs scenarios, and returns their reports in the order of the list, with the worst exit code. A broken lab ends the
// run, because each later scenario would fail in the same way.
func (m many) scenarios(ctx context.Context, list []*scenario.Scenario, env scenario.Env) ([]*scenario.Report, int) {
	style := m.app.style(m.out)
	reports := make([]*scenario.Report, len(list))
	codes := make([]int, len(list))
	b := newBulletin(m.out, style, len(list), m.parallel)
	var jobs []scenario.Job
	for i, s := range list {
		jobs = append(jobs, scenario.Job{Exclusive: s.Exclusive, Locks: s.Locks, Tolerates: s.Tolerates, Do: func(ctx context.Context) bool {
			w, done := b.begin(s.Metadata.Name)
			one := env
			one.Progress = scenario.NewPretty(w, b.styleOf())
			report, err := scenario.Run(ctx, s, one)
			done()
			reports[i], codes[i] = report, codeOf(report.Outcome)
			var part *scenario.PartError
			if errors.As(err, &part) {
				codes[i] = ExitUsage
			} else if err != nil {
				m.app.display.Note(oneLine(err.Error()))
			}
			return err == nil
		}})
	}
	scenario.Pool(ctx, m.parallel, jobs)
	for i, s := range list {
		if reports[i] == nil {
			reports[i] = s.NotBegun(whyNotStarted(ctx))
		}
	}
	m.noteUnstarted(reports)
	return reports, worst(ctx, codes)
}

// whyNotStarted returns why a scenario did not start.
func whyNotStarted(ctx context.Context) string {
	if ctx.Err() != nil {
		return "not started: interrupted"
	}
	return "not started: the lab is broken"
}

// noteUnstarted prints the number of scenarios that did not start.
func (m many) noteUnstarted(reports []*scenario.Report) {
	n := 0
	for _, r := range reports {
		if r.Outcome == scenario.Skipped && strings.HasPrefix(r.Reason, "not started") {
			n++
		}
	}
	if n > 0 {
		m.app.display.Note(text.Count(n, "scenario") + " not started")
	}
}

// mutants runs the mutants of scenarios, and returns their reports in order, with the worst exit code.
func (m many) mutants(ctx context.Context, list []*scenario.Scenario, env scenario.Env) ([]*scenario.MutantReport, int) {
	total := 0
	for _, s := range list {
		if len(s.Mutants) == 0 {
			m.app.display.Note(fmt.Sprintf("scenario %s has no mutants", s.Metadata.Name))
		}
		total += len(s.Mutants)
	}
	reports := make([]*scenario.MutantReport, total)
	codes := make([]int, total)
	b := newBulletin(m.out, m.app.style(m.out), total, 0)
	var jobs []scenario.Job
	for _, s := range list {
		for _, mutant := range s.Mutants {
			i := len(jobs)
			jobs = append(jobs, scenario.Job{Exclusive: s.Exclusive, Locks: s.Locks, Tolerates: s.Tolerates, Do: func(ctx context.Context) bool {
				w, done := b.begin(s.Metadata.Name + ": " + mutant.Name)
				report, err := scenario.RunMutant(ctx, s, mutant, env)
				scenario.NewPretty(w, b.styleOf()).Mutant(*report)
				done()
				reports[i], codes[i] = report, codeOf(report.Outcome())
				if err != nil {
					m.app.display.Note(oneLine(err.Error()))
				}
				return err == nil
			}})
		}
	}
	scenario.Pool(ctx, m.parallel, jobs)
	reports = slices.DeleteFunc(reports, func(r *scenario.MutantReport) bool { return r == nil })
	if missing := total - len(reports); missing > 0 {
		m.app.display.Note(text.Count(missing, "mutant") + " not started")
	}
	printf(m.out, "%s\n", scenario.CountVerdicts(reports))
	return reports, worst(ctx, codes)
}

func worst(ctx context.Context, codes []int) int {
	code := ExitOK
	for _, c := range codes {
		code = worse(code, c)
	}
	if ctx.Err() != nil {
		code = worse(code, ExitInterrupted)
	}
	return code
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
}

// newBulletin returns a bulletin for total jobs, of which parallel run at a time. If parallel is 0, it buffers even a single job.
func newBulletin(w io.Writer, style scenario.Style, total, parallel int) *bulletin {
	return &bulletin{w: w, style: style, total: total, immediate: parallel == 1 || total == 1 && parallel > 0}
}

// styleOf returns the style of the reports.
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
	_, _ = b.w.Write(report) // the reader can stop early
	if !b.style.Live || len(b.running) == 0 {
		return
	}
	line := []rune(fmt.Sprintf("… %d of %d done, running: %s", b.done, b.total, strings.Join(b.running, ", ")))
	if len(line) > statusWidth {
		line = append(line[:statusWidth-1], '…')
	}
	printf(b.w, "%s", b.style.Dim(string(line)))
}
