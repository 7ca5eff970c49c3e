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

// command is a program to run.
type command struct {
	name string
	args []string
	dir  string   // working directory; default: that of this process
	env  []string // KEY=VALUE, in addition to this process's environment
	// stdin is the program's input. If nil, the input is empty, so that no program waits for a
	// user.
	stdin io.Reader
	// stdout receives the output. If nil, the output is treated like stderr.
	stdout io.Writer
	// line is called with each line of stderr, if not nil. Calls are not concurrent.
	line func(string)
}

// runner runs commands. Tests replace processes.
type runner interface {
	run(ctx context.Context, c command) error
}

// failure is the error of a command, with the last lines of its output.
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

// lastLine returns the last line of the output, which usually has the reason.
func (f *failure) lastLine() string { return f.tail[strings.LastIndexByte(f.tail, '\n')+1:] }

// reason returns a short reason for err.
func reason(err error) string {
	var failed *failure
	if errors.As(err, &failed) && failed.tail != "" {
		return failed.lastLine()
	}
	return err.Error()
}

// killGrace is how long a command can clean up after SIGTERM.
const killGrace = 5 * time.Second

// processes is the runner that starts processes.
type processes struct {
	grace time.Duration // default: killGrace
}

func (p processes) run(ctx context.Context, c command) error {
	child := exec.CommandContext(ctx, c.name, c.args...)
	child.Dir = c.dir
	child.Env = append(os.Environ(), c.env...)
	child.Stdin = c.stdin
	// Stop child processes of go build and mmdebstrap, too.
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

// firstWords returns the first arguments, for error messages.
func firstWords(args []string) string {
	const enough = 3
	if len(args) > enough {
		return strings.Join(args[:enough], " ") + " ..."
	}
	return strings.Join(args, " ")
}

// output runs a command and returns its trimmed stdout.
func output(ctx context.Context, r runner, c command) (string, error) {
	var stdout bytes.Buffer
	c.stdout = &stdout
	err := r.run(ctx, c)
	return strings.TrimSpace(stdout.String()), err
}

// lineWriter splits a stream into lines and keeps the last ones. A carriage return also ends a
// line, because progress bars use it.
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
