package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// display shows progress. On a terminal, the bottom line shows the running steps, and each finished step leaves a line with its
// result. Without a terminal, or with TERM=dumb, it only prints lines. NO_COLOR (https://no-color.org) turns off colors.
type display struct {
	out   io.Writer
	live  bool // the bottom line is animated
	color bool
	width func() int

	mu      sync.Mutex
	running []*step
	drawn   bool // the bottom line is visible
	ticker  *time.Ticker
	stop    chan struct{}
}

var _ cluster.Progress = (*display)(nil)

type step struct {
	text   string
	detail string
	began  time.Time
	timer  *time.Timer // announces the step repeatedly
	quiet  bool        // not announced yet
	ended  bool
}

const (
	frameTime = 120 * time.Millisecond
	// announceAfter is how long a step can run without a terminal before a line announces it.
	announceAfter = 2 * time.Second
	// repeatAfter is the interval between later announcements, so that a CI system sees progress.
	repeatAfter = 15 * time.Second
)

var frames = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// newDisplay returns a display on w; env is os.Getenv.
func newDisplay(w io.Writer, env func(string) string) *display {
	d := &display{out: w, width: func() int { return defaultWidth }}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) && env("TERM") != "dumb" {
		d.live, d.color = true, env("NO_COLOR") == ""
		d.width = func() int { return terminalWidth(f) }
	}
	return d
}

const defaultWidth = 80

func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return defaultWidth
	}
	return int(size.Col)
}

func (d *display) Step(text string) func(error) {
	s := d.begin(text)
	return func(err error) { d.end(s, err) }
}

// Begin implements benchmark.Progress.
func (d *display) Begin(text string) (detail func(string), done func(error)) {
	s := d.begin(text)
	return func(text string) { d.detail(s, text) }, func(err error) { d.end(s, err) }
}

// begin starts a step that can have details.
func (d *display) begin(text string) *step {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &step{text: text, began: time.Now(), quiet: true}
	d.running = append(d.running, s)
	if d.live {
		d.startDrawing()
	} else {
		s.timer = time.AfterFunc(announceAfter, func() { d.announce(s) })
	}
	return s
}

func (d *display) Note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	printf(d.out, "%s %s\n", d.paint(yellow, "!"), text)
}

func (d *display) detail(s *step, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.detail = text
}

func (d *display) end(s *step, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.ended {
		return
	}
	d.remove(s)
	if errors.Is(err, context.Canceled) && time.Since(s.began) < announceAfter {
		return // another step failed first and has already reported its error
	}
	mark := d.paint(green, "✓")
	if err != nil {
		mark = d.paint(red, "✗")
	}
	printf(d.out, "%s %s %s\n", mark, s.text, d.paint(dim, "("+elapsed(time.Since(s.began))+")"))
}

// drop removes a step without a line.
func (d *display) drop(s *step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(s)
}

// remove removes a running step; d.mu is held.
func (d *display) remove(s *step) {
	if s.ended = true; s.timer != nil {
		s.timer.Stop()
	}
	d.running = slices.DeleteFunc(d.running, func(r *step) bool { return r == s })
	d.erase()
	if len(d.running) == 0 && d.stop != nil {
		d.ticker.Stop()
		close(d.stop)
		d.stop = nil
	}
}

// announce prints a line for a running step, without a terminal.
func (d *display) announce(s *step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.ended { // while the timer's function waited for the lock
		return
	}
	line := "• " + s.text + " ..."
	if s.detail != "" {
		line += " " + s.detail
	}
	if !s.quiet {
		line += fmt.Sprintf(" (%s)", elapsed(time.Since(s.began)))
	}
	s.quiet = false
	printf(d.out, "%s\n", line)
	s.timer.Reset(repeatAfter)
}

// startDrawing starts the animation of the bottom line; d.mu is held.
func (d *display) startDrawing() {
	if d.stop != nil {
		return
	}
	d.stop, d.ticker = make(chan struct{}), time.NewTicker(frameTime)
	go func(stop <-chan struct{}, tick <-chan time.Time) {
		for frame := 0; ; frame++ {
			select {
			case <-stop:
				return
			case <-tick:
				d.draw(frames[frame%len(frames)])
			}
		}
	}(d.stop, d.ticker.C)
}

func (d *display) draw(frame rune) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.running) == 0 {
		return
	}
	var parts []string
	for _, s := range d.running {
		text := fmt.Sprintf("%s (%s)", s.text, elapsed(time.Since(s.began)))
		if s.detail != "" {
			text += " " + s.detail
		}
		parts = append(parts, text)
	}
	// A wrapped line could not be erased.
	line := []rune(string(frame) + " " + strings.Join(parts, ", "))
	if limit := d.width() - 1; len(line) > limit && limit > 1 {
		line = append(line[:limit-1], '…')
	}
	d.erase()
	printf(d.out, "%s", string(line))
	d.drawn = true
}

// erase erases the bottom line; d.mu is held.
func (d *display) erase() {
	if d.drawn {
		printf(d.out, "\r\x1b[K")
		d.drawn = false
	}
}

// Colors, as parameters of the terminal's SGR sequence.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

func (d *display) paint(color, text string) string {
	if !d.color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// elapsed formats a duration: 0.3s, 12s, 4m05s.
func elapsed(t time.Duration) string {
	switch {
	case t < 10*time.Second:
		return fmt.Sprintf("%.1fs", t.Seconds())
	case t < time.Minute:
		return fmt.Sprintf("%.0fs", t.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(t.Minutes()), int(t.Seconds())%60)
}
