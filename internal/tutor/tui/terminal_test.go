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

// terminal runs a program in a pseudo-terminal and keeps the visible text. It supports the control
// sequences of a VT220 and a few more, which is enough for programs with TERM=vt220.
type terminal struct {
	t    *testing.T
	file *os.File
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has closed the terminal

	mu      sync.Mutex
	changed chan struct{} // closed and replaced after each change
	cells   [][]rune
	x, y    int
	top     int  // the first line of the scrolling region
	bottom  int  // the last line of the scrolling region
	alt     bool // the alternate screen is active
	hidden  bool // the cursor is hidden
	colored bool // the program has used a color
}

// timeout bounds the wait for a text.
const timeout = 20 * time.Second

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
		_ = cmd.Process.Kill() // fails if the program has exited
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

// picture returns the visible text.
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

// until waits for a picture that matches.
func (s *terminal) until(what string, matches func(picture string) bool) {
	s.t.Helper()
	expired := time.After(timeout)
	for {
		s.mu.Lock()
		picture, changed := s.text(), s.changed
		s.mu.Unlock()
		if matches(picture) {
			return
		}
		select {
		case <-changed:
		case <-expired:
			s.t.Fatalf("did not see %s; the screen:\n%s", what, picture)
		case <-s.done:
			if !matches(s.picture()) {
				s.t.Fatalf("the program exited before %s; the screen:\n%s", what, s.picture())
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

// exit waits for the program and returns its exit code.
func (s *terminal) exit() int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(timeout):
		s.t.Fatalf("the program does not exit; the screen:\n%s", s.picture())
	}
	_ = s.cmd.Wait() // the exit code is enough
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
