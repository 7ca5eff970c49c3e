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

// display shows progress to a person. On a terminal there is one moving line
// at the bottom for what is going on, and a line with a tick or a cross stays
// of whatever has ended. Anywhere else, or with TERM=dumb, there are only
// lines that stay. NO_COLOR (https://no-color.org) takes the colors away.
type display struct {
	out   io.Writer
	live  bool // the bottom line may move
	color bool
	width func() int

	mu      sync.Mutex
	running []*step
	drawn   bool // the bottom line is on the screen
	ticker  *time.Ticker
	stop    chan struct{}
}

var _ cluster.Progress = (*display)(nil)

// step is something that goes on.
type step struct {
	text   string
	detail string
	began  time.Time
	timer  *time.Timer // announces it, and says again that it goes on
	quiet  bool        // it has not been announced
	ended  bool
}

const (
	frameTime = 120 * time.Millisecond
	// announceAfter is how long a step may take, without a terminal, before a
	// line says that it goes on; shorter ones have a line when they end.
	announceAfter = 2 * time.Second
	// repeatAfter is when it is said again, so that a CI system sees life.
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

// Step implements cluster.Progress.
func (d *display) Step(text string) func(error) {
	s := d.begin(text)
	return func(err error) { d.end(s, err) }
}

// begin is Step for a caller who has details to tell.
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

// Note implements cluster.Progress.
func (d *display) Note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	printf(d.out, "%s %s\n", d.paint(yellow, "!"), text)
}

// detail says what a step is doing right now.
func (d *display) detail(s *step, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.detail = text
}

// end leaves a line about a step that has ended.
func (d *display) end(s *step, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.ended {
		return
	}
	d.remove(s)
	if errors.Is(err, context.Canceled) && time.Since(s.began) < announceAfter {
		return // something else failed before this had begun in earnest: that is what there is to say
	}
	mark := d.paint(green, "✓")
	if err != nil {
		mark = d.paint(red, "✗")
	}
	printf(d.out, "%s %s %s\n", mark, s.text, d.paint(dim, "("+elapsed(time.Since(s.began))+")"))
}

// drop forgets a step in which there was nothing to do.
func (d *display) drop(s *step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(s)
}

// remove takes a step out of those that go on; d.mu is held.
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

// announce says, where there is no terminal, that a step goes on.
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

// startDrawing makes the bottom line move; d.mu is held.
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
	// A line that wraps could not be erased.
	line := []rune(string(frame) + " " + strings.Join(parts, ", "))
	if limit := d.width() - 1; len(line) > limit && limit > 1 {
		line = append(line[:limit-1], '…')
	}
	d.erase()
	printf(d.out, "%s", string(line))
	d.drawn = true
}

// erase takes the bottom line away; d.mu is held.
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

// elapsed writes a duration as people say it: 0.3s, 12s, 4m05s.
func elapsed(t time.Duration) string {
	switch {
	case t < 10*time.Second:
		return fmt.Sprintf("%.1fs", t.Seconds())
	case t < time.Minute:
		return fmt.Sprintf("%.0fs", t.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(t.Minutes()), int(t.Seconds())%60)
}
