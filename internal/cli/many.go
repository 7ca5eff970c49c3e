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
	"sync/atomic"

	"github.com/ingresslab/ingresslab/internal/labtest"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

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

// batch returns a batch that reports to b.
func (m many) batch(b *bulletin, env scenario.Env) labtest.Batch {
	return labtest.Batch{Env: env, Parallel: m.parallel, Begin: func(name string) (*scenario.Pretty, func(error)) {
		w, done := b.begin(name)
		return scenario.NewPretty(w, b.styleOf()), func(err error) {
			done()
			var part *scenario.PartError
			if errors.As(err, &part) {
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

// code returns the exit code of the runs apart from their reports.
func (b *bulletin) code(ctx context.Context) int {
	switch {
	case ctx.Err() != nil:
		return ExitInterrupted
	case b.usage.Load():
		return ExitUsage
	}
	return ExitOK
}
