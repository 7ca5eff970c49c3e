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
	"path/filepath"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

type command struct {
	name string
	args []string
	dir  string   // working directory; default: that of this process
	env  []string // KEY=VALUE, in addition to this process's environment
	// stdin is the program's input. It is empty if nil, so that no program waits for a user.
	stdin  io.Reader
	stdout io.Writer    // stdout receives the output. If nil, the output is treated like stderr.
	line   func(string) // called with each line of stderr, if not nil. Calls are not concurrent.
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

// lastLine returns the last line of the output, which usually contains the reason.
func (f *failure) lastLine() string { return f.tail[strings.LastIndexByte(f.tail, '\n')+1:] }

// reason returns a short reason for err.
func reason(err error) string {
	if failed, ok := errors.AsType[*failure](err); ok && failed.tail != "" {
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

// lineWriter keeps the last lines of a stream. Progress bars end lines with a carriage return.
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

// stage fills a directory. Its digest covers all inputs, so a result with that digest is reused.
type stage struct {
	name   string // shown to users
	key    string // letters only, for the name in the cache
	digest string // hexadecimal, of all inputs
	// run fills the empty directory dir. detail reports the current activity.
	run func(ctx context.Context, dir string, detail func(string)) error
}

// digestLength is the number of hexadecimal digits in names. 48 bits are enough for a few builds.
const digestLength = 12

// workPrefix starts the names of incomplete results.
const workPrefix = "work-"

// pipeline runs stages and keeps their results.
type pipeline struct {
	purpose  string // prefix of errors: "build node image"
	dir      string
	progress Progress
	fresh    bool // ignore results of earlier runs
}

// path returns the directory of a stage's result.
func (p pipeline) path(s stage) string {
	return filepath.Join(p.dir, s.key+"-"+s.digest[:digestLength])
}

// run runs the missing stages in order, until one fails or ctx ends. The next run continues there.
func (p pipeline) run(ctx context.Context, stages []stage) error {
	unlock, err := p.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.discardUnfinished(); err != nil {
		return err
	}
	for i, s := range stages {
		p.progress.Begin(i+1, len(stages), s.name)
		outcome, err := p.runStage(ctx, s)
		p.progress.End(outcome)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", p.purpose, s.name, err)
		}
	}
	return p.discardSuperseded(stages)
}

func (p pipeline) runStage(ctx context.Context, s stage) (outcome string, err error) {
	if err := context.Cause(ctx); err != nil {
		return OutcomeInterrupted, err
	}
	result := p.path(s)
	if _, err := os.Stat(result); err == nil {
		if !p.fresh {
			return OutcomeReused, nil
		}
		if err := os.RemoveAll(result); err != nil {
			return OutcomeFailed, err
		}
	}
	work, err := os.MkdirTemp(p.dir, workPrefix+s.key+"-")
	if err != nil {
		return OutcomeFailed, err
	}
	if err := s.run(ctx, work, p.progress.Detail); err != nil {
		err = errors.Join(err, os.RemoveAll(work))
		if ctx.Err() != nil {
			return OutcomeInterrupted, err
		}
		return OutcomeFailed, err
	}
	// The rename is atomic, so a result is always complete.
	if err := os.Rename(work, result); err != nil {
		return OutcomeFailed, err
	}
	return OutcomeDone, nil
}

// lock waits until no other build uses the cache. The kernel releases the lock of a killed build.
func (p pipeline) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create cache directory: %w", err)
	}
	return filelock.Acquire(ctx, filepath.Join(p.dir, "lock"), func() {
		p.progress.Note("waiting for another build of the node image or the control plane")
	})
}

// discardUnfinished removes the directories of killed builds.
func (p pipeline) discardUnfinished() error {
	return p.discard(func(name string) bool { return strings.HasPrefix(name, workPrefix) })
}

// discardSuperseded removes older results of the same stages.
func (p pipeline) discardSuperseded(stages []stage) error {
	return p.discard(func(name string) bool {
		for _, s := range stages {
			if strings.HasPrefix(name, s.key+"-") {
				return name != filepath.Base(p.path(s))
			}
		}
		return false
	})
}

func (p pipeline) discard(match func(name string) bool) error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("read cache directory: %w", err)
	}
	var failures []error
	for _, entry := range entries {
		if match(entry.Name()) {
			failures = append(failures, os.RemoveAll(filepath.Join(p.dir, entry.Name())))
		}
	}
	return errors.Join(failures...)
}

// Progress shows the progress to a user. Calls are not concurrent.
type Progress interface {
	// Begin starts a stage. number counts from 1 to total.
	Begin(number, total int, name string)
	// Detail reports the current activity of the stage. It can be called very often.
	Detail(text string)
	// End ends the stage. outcome is one of the constants.
	End(outcome string)
	// Note reports a message that belongs to no stage.
	Note(text string)
}

// Outcomes of a stage.
const (
	OutcomeDone        = "done"
	OutcomeReused      = "cached" // the result of an earlier build
	OutcomeFailed      = "failed"
	OutcomeInterrupted = "interrupted"
)

// silent is the default Progress.
type silent struct{}

func (silent) Begin(int, int, string) {}
func (silent) Detail(string)          {}
func (silent) End(string)             {}
func (silent) Note(string)            {}
