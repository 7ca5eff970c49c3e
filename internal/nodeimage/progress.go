package nodeimage

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Progress is told what a build does. Calls come from one goroutine at a time.
type Progress interface {
	// Begin opens a stage; number counts from 1 to total.
	Begin(number, total int, name string)
	// Detail says what the open stage does right now. It may be called very often.
	Detail(text string)
	// End closes the stage with a word or two on how it went.
	End(outcome string)
	// Note is a remark that belongs to no stage.
	Note(text string)
}

// silent is the Progress of a caller that wants none.
type silent struct{}

func (silent) Begin(int, int, string) {}
func (silent) Detail(string)          {}
func (silent) End(string)             {}
func (silent) Note(string)            {}

// Intervals at which a Reporter speaks of a stage that goes on.
const (
	redrawEvery = 500 * time.Millisecond // a terminal, where the line replaces itself
	repeatEvery = 12 * time.Second       // a log, where every line stays
)

// lineWidth bounds the line that is redrawn: one that wraps could not be redrawn.
const lineWidth = 78

// Reporter writes progress for people: on a terminal one line for the open stage, which
// is redrawn; elsewhere a plain line now and then, so that a CI log shows life.
type Reporter struct {
	out      io.Writer
	terminal bool

	mu     sync.Mutex
	open   bool
	title  string
	detail string
	began  time.Time
	stop   chan struct{}
	done   chan struct{}
}

var _ Progress = (*Reporter)(nil)

// NewReporter returns a Progress that writes to out; terminal says whether out is one.
func NewReporter(out io.Writer, terminal bool) *Reporter {
	return &Reporter{out: out, terminal: terminal}
}

// Begin implements Progress.
func (r *Reporter) Begin(number, total int, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.began, r.detail = true, time.Now(), ""
	r.title = fmt.Sprintf("[%d/%d] %s", number, total, name)
	r.show("")
	r.stop, r.done = make(chan struct{}), make(chan struct{})
	go r.tick(r.stop, r.done)
}

// Detail implements Progress. What it says is shown at the next interval.
func (r *Reporter) Detail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.detail = text
}

// End implements Progress.
func (r *Reporter) End(outcome string) {
	r.mu.Lock()
	if !r.open {
		r.mu.Unlock()
		return
	}
	r.open = false
	close(r.stop)
	done := r.done
	r.mu.Unlock()
	<-done

	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	fmt.Fprintf(r.out, "%s: %s, %s\n", r.title, outcome, elapsed(r.began))
}

// Note implements Progress.
func (r *Reporter) Note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	fmt.Fprintln(r.out, text)
	if r.open {
		r.show(r.detail)
	}
}

func (r *Reporter) tick(stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	interval := repeatEvery
	if r.terminal {
		interval = redrawEvery
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			r.mu.Lock()
			r.show(r.detail)
			r.mu.Unlock()
		}
	}
}

// show writes the open stage's line; r.mu is held.
func (r *Reporter) show(detail string) {
	line := r.title + ", " + elapsed(r.began)
	if detail != "" {
		line += ": " + detail
	}
	if !r.terminal {
		fmt.Fprintln(r.out, line)
		return
	}
	if runes := []rune(line); len(runes) > lineWidth {
		line = string(runes[:lineWidth-1]) + "…"
	}
	r.clear()
	fmt.Fprint(r.out, line)
}

func (r *Reporter) clear() {
	if r.terminal {
		fmt.Fprint(r.out, "\r"+strings.Repeat(" ", lineWidth)+"\r")
	}
}

// elapsed is the time since start as people write it: 7 s, 4 min 50 s.
func elapsed(start time.Time) string {
	seconds := int(time.Since(start).Seconds())
	if seconds < 60 {
		return fmt.Sprintf("%d s", seconds)
	}
	return fmt.Sprintf("%d min %02d s", seconds/60, seconds%60)
}
