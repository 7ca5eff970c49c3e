package tui_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is a program in a pseudo-terminal, and what a person would see there. It knows the control sequences of a VT220
// and few more; programs that believe TERM=vt220 use no others.
type terminal struct {
	t    *testing.T
	file *os.File
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has closed the terminal

	mu      sync.Mutex
	changed chan struct{} // closed and made anew with each change
	cells   [][]rune
	x, y    int
	top     int // of the scrolling region, and its bottom
	bottom  int
	alt     bool // the alternate screen is on
	hidden  bool // the cursor is
	colored bool // a color was ever asked for
}

// patience is how long something may take before it counts as not happening.
const patience = 20 * time.Second

func open(t *testing.T, cmd *exec.Cmd, width, height int) *terminal {
	t.Helper()
	term := &terminal{t: t, cmd: cmd, done: make(chan struct{}), changed: make(chan struct{})}
	term.clear(width, height)
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)})
	if err != nil {
		t.Fatal(err)
	}
	term.file = file
	go term.read()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most often it has ended
		_ = cmd.Wait()
		_ = file.Close()
	})
	return term
}

func (s *terminal) clear(width, height int) {
	s.cells = make([][]rune, height)
	for y := range s.cells {
		s.cells[y] = []rune(strings.Repeat(" ", width))
	}
	s.x, s.y, s.top, s.bottom = 0, 0, 0, height-1
}

func (s *terminal) resize(width, height int) {
	s.t.Helper()
	s.mu.Lock()
	s.clear(width, height)
	s.mu.Unlock()
	if err := pty.Setsize(s.file, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *terminal) press(keys string) {
	s.t.Helper()
	if _, err := s.file.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// picture is what is on the screen.
func (s *terminal) picture() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text()
}

func (s *terminal) text() string {
	var lines []string
	for _, row := range s.cells {
		lines = append(lines, strings.TrimRight(string(row), " "))
	}
	return strings.Join(lines, "\n")
}

// until waits for a picture for which is is true.
func (s *terminal) until(what string, is func(picture string) bool) {
	s.t.Helper()
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		picture, changed := s.text(), s.changed
		s.mu.Unlock()
		if is(picture) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			s.t.Fatalf("never saw %s; the screen:\n%s", what, picture)
		case <-s.done:
			if !is(s.picture()) {
				s.t.Fatalf("the program ended before %s; the screen:\n%s", what, s.picture())
			}
			return
		}
	}
}

func (s *terminal) see(text string) {
	s.t.Helper()
	s.until(strconv.Quote(text), func(p string) bool { return strings.Contains(p, text) })
}

func (s *terminal) seeNot(text string) {
	s.t.Helper()
	s.until("the end of "+strconv.Quote(text), func(p string) bool { return !strings.Contains(p, text) })
}

// exit waits for the end of the program and returns its code.
func (s *terminal) exit() int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatalf("the program does not end; the screen:\n%s", s.picture())
	}
	_ = s.cmd.Wait() // the code says it all
	return s.cmd.ProcessState.ExitCode()
}

func (s *terminal) read() {
	defer close(s.done)
	var rest []byte
	buffer := make([]byte, 4096)
	for {
		n, err := s.file.Read(buffer)
		s.mu.Lock()
		rest = s.feed(append(rest, buffer[:n]...))
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}
