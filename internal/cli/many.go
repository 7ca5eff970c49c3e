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

// many runs many things in one cluster, and reports each whole when it has ended.
type many struct {
	app      *app
	out      io.Writer
	parallel int
}

// scenarios runs scenarios, and returns their reports in the order of the list with the exit code of the worst. A broken lab
// ends it: the next scenario would say the same.
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
			reports[i] = s.NotBegun(whyNotBegun(ctx))
		}
	}
	m.unbegun(reports)
	return reports, worst(ctx, codes)
}

// whyNotBegun says why something that was to run did not.
func whyNotBegun(ctx context.Context) string {
	if ctx.Err() != nil {
		return "has not begun: interrupted"
	}
	return "has not begun: the lab is broken"
}

// unbegun says how many scenarios have not begun.
func (m many) unbegun(reports []*scenario.Report) {
	n := 0
	for _, r := range reports {
		if r.Outcome == scenario.Skipped && strings.HasPrefix(r.Reason, "has not begun") {
			n++
		}
	}
	if n > 0 {
		m.app.display.Note(text.Count(n, "scenario") + " not begun")
	}
}

// mutants runs the mutants of scenarios, and returns their reports in their order.
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
		m.app.display.Note(text.Count(missing, "mutant") + " not begun")
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

// bulletin lets things that run at the same time report one after the other. A single one is written as it goes; of several,
// each is held back until it is whole, and a line at the bottom of a terminal tells what is under way.
type bulletin struct {
	w           io.Writer
	style       scenario.Style
	immediate   bool
	mu          sync.Mutex
	running     []string
	done, total int
}

// newBulletin returns the bulletin of total things, of which so many run at a time; 0 holds back even a single one.
func newBulletin(w io.Writer, style scenario.Style, total, parallel int) *bulletin {
	return &bulletin{w: w, style: style, total: total, immediate: parallel == 1 || total == 1 && parallel > 0}
}

// styleOf is how those that report are to write.
func (b *bulletin) styleOf() scenario.Style {
	style := b.style
	style.Live = style.Live && b.immediate
	return style
}

// begin returns where something that begins is to report to, and what it is to call at its end.
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

// statusWidth keeps the line at the bottom from wrapping, which would leave its first part behind.
const statusWidth = 76

// change writes what has been reported, and the line at the bottom anew.
func (b *bulletin) change(report []byte, how func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	how()
	if b.style.Live {
		printf(b.w, "\r\x1b[K")
	}
	_, _ = b.w.Write(report) // whoever reads may stop
	if !b.style.Live || len(b.running) == 0 {
		return
	}
	line := []rune(fmt.Sprintf("… %d of %d done, under way: %s", b.done, b.total, strings.Join(b.running, ", ")))
	if len(line) > statusWidth {
		line = append(line[:statusWidth-1], '…')
	}
	printf(b.w, "%s", b.style.Dim(string(line)))
}
