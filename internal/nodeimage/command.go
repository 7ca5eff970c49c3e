package nodeimage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// command is one run of another program.
type command struct {
	name string
	args []string
	dir  string   // working directory; empty is the caller's
	env  []string // KEY=value, on top of this process's environment
	// stdin, if not nil, is what the program reads. It reads nothing else, ever: no child
	// of ours may ask a question.
	stdin io.Reader
	// stdout, if not nil, receives the output. Otherwise the output is treated as stderr.
	stdout io.Writer
	// line, if not nil, is called with every line of stderr, without its end, from one
	// goroutine at a time.
	line func(string)
}

// runner runs commands. Tests replace it; processes is the one that starts processes.
type runner interface {
	run(ctx context.Context, c command) error
}

// failure is what a command that failed leaves to tell: the last lines it wrote.
type failure struct {
	command string
	tail    string
	err     error
}

func (f *failure) Error() string {
	if f.tail == "" {
		return fmt.Sprintf("%s: %v", f.command, f.err)
	}
	return fmt.Sprintf("%s: %v:\n%s", f.command, f.err, f.tail)
}

func (f *failure) Unwrap() error { return f.err }

// lastLine is the tail's last line: programs put the reason there.
func (f *failure) lastLine() string { return f.tail[strings.LastIndexByte(f.tail, '\n')+1:] }

// reason is the shortest text that says why err happened.
func reason(err error) string {
	var failed *failure
	if errors.As(err, &failed) && failed.tail != "" {
		return failed.lastLine()
	}
	return err.Error()
}

// killGrace is how long a command may take to clean up after it was told to stop.
const killGrace = 5 * time.Second

// processes is the runner that starts processes.
type processes struct {
	grace time.Duration // instead of killGrace, if not 0
}

func (p processes) run(ctx context.Context, c command) error {
	child := exec.CommandContext(ctx, c.name, c.args...)
	child.Dir = c.dir
	child.Env = append(os.Environ(), c.env...)
	child.Stdin = c.stdin
	// go build and mmdebstrap start processes of their own: all of them have to go.
	ownGroup(child)
	child.Cancel = func() error { return stopGroup(child) }
	child.WaitDelay = cmp.Or(p.grace, killGrace)

	stderr := &lineWriter{line: c.line}
	child.Stderr = stderr
	child.Stdout = stderr
	if c.stdout != nil {
		child.Stdout = c.stdout
	}
	err := child.Run()
	killGroup(child)
	stderr.flush()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return &failure{command: c.name + " " + firstWords(c.args), tail: stderr.tail(), err: err}
	}
	return nil
}

// firstWords abbreviates arguments to what tells two commands apart.
func firstWords(args []string) string {
	const enough = 3
	if len(args) > enough {
		return strings.Join(args[:enough], " ") + " ..."
	}
	return strings.Join(args, " ")
}

// output runs a command and returns what it wrote to stdout, without surrounding space.
func output(ctx context.Context, r runner, c command) (string, error) {
	var stdout bytes.Buffer
	c.stdout = &stdout
	err := r.run(ctx, c)
	return strings.TrimSpace(stdout.String()), err
}

// lineWriter cuts a stream into lines, hands them on, and keeps the last few. Programs
// that redraw a line end it with a carriage return.
type lineWriter struct {
	line func(string)
	part []byte
	last []string
}

const keptLines = 20

func (w *lineWriter) Write(p []byte) (int, error) {
	w.part = append(w.part, p...)
	for {
		end := bytes.IndexAny(w.part, "\r\n")
		if end < 0 {
			return len(p), nil
		}
		w.take(string(w.part[:end]))
		w.part = w.part[end+1:]
	}
}

func (w *lineWriter) take(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	if w.line != nil {
		w.line(line)
	}
	w.last = append(w.last, line)
	if len(w.last) > keptLines {
		w.last = w.last[1:]
	}
}

func (w *lineWriter) flush() {
	w.take(string(w.part))
	w.part = nil
}

func (w *lineWriter) tail() string { return strings.Join(w.last, "\n") }
