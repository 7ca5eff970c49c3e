package container_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// output collects what was written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (o *output) wait(t testing.TB, text string) {
	t.Helper()
	eventually(t, "output has "+text, func() bool { return strings.Contains(o.String(), text) })
}

// running starts a container that waits.
func running(t testing.TB) container.Container {
	t.Helper()
	s := spec(t, "write /made x ; wait")
	s.Env = []string{"A=1", "PATH=/bin"}
	c := start(t, s)
	waitFor(t, s.Log, "waiting")
	return c
}

func TestExecJoinsTheContainer(t *testing.T) {
	c := running(t)
	var out, errs bytes.Buffer
	code, err := c.Exec(t.Context(), container.Exec{
		Command: []string{"tool", "read /made ; echo ; host ; ls /proc ; env ; fds ; status NoNewPrivs ; warn careful ; cat ; exit 5"},
		Stdin:   strings.NewReader("from outside\n"), Stdout: &out, Stderr: &errs,
	})
	if err != nil || code != 5 || errs.String() != "careful\n" {
		t.Fatalf("exit %d, %v, %q", code, err, errs.String())
	}
	for _, want := range []string{"x\nhost pod-1 pid ", "\n1\n", "A=1\n", "HOME=/root\n", "NoNewPrivs: 1\n", "from outside\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q not found in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "inherited") || strings.Contains(out.String(), "pid 1 ") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestExecStartErrors(t *testing.T) {
	c := running(t)
	for command, want := range map[string]int{"nope": 127, "/nope": 127, "plain": 127, "/bin/plain": 126} {
		_, err := c.Exec(t.Context(), container.Exec{Command: []string{command}})
		var execErr *container.ExecError
		if !errors.As(err, &execErr) || execErr.Code() != want {
			t.Errorf("%s: %v, want code %d", command, err, want)
		}
	}
	if err := c.Signal(9); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	_, err := c.Exec(t.Context(), container.Exec{Command: []string{"tool"}})
	var execErr *container.ExecError
	if !errors.As(err, &execErr) || err.Error() != `exec: "tool": container is not running` {
		t.Errorf("after the container's end: %v", err)
	}
}

func TestExecEndsWithItsContext(t *testing.T) {
	c := running(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out output
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, container.Exec{Command: []string{"tool", "wait"}, Stdout: &out})
		ended <- err
	}()
	out.wait(t, "waiting")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	var list bytes.Buffer
	if _, err := c.Exec(t.Context(), container.Exec{Command: []string{"tool", "ls /proc"}, Stdout: &list}); err != nil {
		t.Fatal(err)
	}
	if numbers(list.String()) != 2 {
		t.Errorf("want PID 1 and the process that lists:\n%s", list.String())
	}
}

// numbers counts the process IDs in a listing of /proc.
func numbers(list string) int {
	n := 0
	for line := range strings.Lines(list) {
		if line[0] >= '1' && line[0] <= '9' {
			n++
		}
	}
	return n
}

func TestExecEndsWithTheContainer(t *testing.T) {
	c := running(t)
	var out output
	ended := make(chan int, 1)
	go func() {
		code, err := c.Exec(t.Context(), container.Exec{Command: []string{"tool", "wait"}, Stdout: &out})
		if err != nil {
			code = -1
		}
		ended <- code
	}()
	out.wait(t, "waiting")
	if err := c.Signal(9); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if code := <-ended; code != 137 {
		t.Errorf("exit code %d", code)
	}
}

func TestExecDoesNotWaitForBackgroundProcesses(t *testing.T) {
	c := running(t)
	before := count(t).children
	var out output
	code, err := c.Exec(t.Context(), container.Exec{Command: []string{"tool", "spawn wait ; exit 4"}, Stdout: &out})
	if err != nil || code != 4 {
		t.Errorf("exit %d, %v", code, err)
	}
	var list bytes.Buffer
	if _, err := c.Exec(t.Context(), container.Exec{Command: []string{"tool", "ls /proc"}, Stdout: &list}); err != nil {
		t.Fatal(err)
	}
	// The tests run as PID 1, like a supervisor, so they would adopt orphans.
	if now := count(t).children; now != before || numbers(list.String()) != 3 {
		t.Errorf("%d children of the tests, want %d; in the container:\n%s", now, before, list.String())
	}
}

func TestExecWithTerminal(t *testing.T) {
	c := running(t)
	var out output
	in, typing := io.Pipe()
	sizes := make(chan container.Size)
	ended := make(chan int, 1)
	go func() {
		code, err := c.Exec(t.Context(), container.Exec{
			Command: []string{"tool", "env ; tty ; winsize"}, Stdin: in, Stdout: &out, TTY: true, Resize: sizes,
		})
		if err != nil {
			t.Error(err)
		}
		ended <- code
	}()
	out.wait(t, "watching\r\n")
	sizes <- container.Size{Width: 120, Height: 40}
	out.wait(t, "size 120 x 40\r\n")
	if _, err := io.WriteString(typing, "\x03"); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	if code := <-ended; code != 130 {
		t.Errorf("exit code after Ctrl-C: %d", code)
	}
	if got := out.String(); !strings.Contains(got, "TERM=xterm\r\n") || !strings.Contains(got, "terminal /dev/pts/0\r\n") {
		t.Errorf("got\n%s", got)
	}
	_ = typing.Close()
}

func TestAttachStreams(t *testing.T) {
	s := spec(t, "echo before ; lines ; warn over")
	s.Stdin, s.StdinOnce = true, true
	c := start(t, s)
	waitFor(t, s.Log, "before")
	var out, errs, watcher output
	watched := make(chan error, 1)
	go func() { watched <- c.Attach(t.Context(), container.Exec{Stdout: &watcher, Stderr: &watcher}) }()
	watcher.wait(t, "before\n") // the first Attach gets earlier output
	in, say := io.Pipe()
	attached := make(chan error, 1)
	go func() { attached <- c.Attach(t.Context(), container.Exec{Stdin: in, Stdout: &out, Stderr: &errs}) }()
	// The watcher has attached when it gets output.
	eventually(t, "both hear", func() bool {
		_, err := io.WriteString(say, "hi\n")
		return err == nil && strings.Contains(watcher.String(), "got hi") && strings.Contains(out.String(), "got hi")
	})
	if err := say.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-attached, <-watched); err != nil {
		t.Error(err)
	}
	if errs.String() != "over\n" || !strings.Contains(watcher.String(), "over\n") || strings.Contains(out.String(), "before") {
		t.Errorf("got %q, %q, %q", out.String(), errs.String(), watcher.String())
	}
}

func TestFirstAttachGetsEarlierOutput(t *testing.T) {
	s := spec(t, "echo the answer ; warn careful")
	s.Stdin = true
	c := start(t, s)
	<-c.Done()
	var out, errs, later output
	if err := c.Attach(t.Context(), container.Exec{Stdout: &out, Stderr: &errs}); err != nil {
		t.Error(err)
	}
	if err := c.Attach(t.Context(), container.Exec{Stdout: &later, Stderr: &later}); err != nil {
		t.Error(err)
	}
	if out.String() != "the answer\n" || errs.String() != "careful\n" || later.String() != "" {
		t.Errorf("got %q, %q, and later %q", out.String(), errs.String(), later.String())
	}
}

func TestAttachToTerminalEndsWithContext(t *testing.T) {
	s := spec(t, "lines")
	s.Stdin, s.TTY = true, true
	c := start(t, s)
	ctx, leave := context.WithCancel(t.Context())
	in, say := io.Pipe()
	var out output
	attached := make(chan error, 1)
	go func() { attached <- c.Attach(ctx, container.Exec{Stdin: in, Stdout: &out, TTY: true}) }()
	if _, err := io.WriteString(say, "hi\n"); err != nil {
		t.Fatal(err)
	}
	out.wait(t, "got hi\r\n")
	leave()
	if err := <-attached; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	_ = say.Close()
	in, say = io.Pipe()
	go func() { attached <- c.Attach(t.Context(), container.Exec{Stdin: in, Stdout: &out, TTY: true}) }()
	if _, err := io.WriteString(say, "again\n\x04"); err != nil { // Ctrl-D
		t.Fatal(err)
	}
	if err := <-attached; err != nil {
		t.Error(err)
	}
	if e := c.Exit(); e.Code != 0 {
		t.Errorf("exit: %+v", e)
	}
	if got := logText(t, s.Log); !strings.Contains(got, "got again") {
		t.Errorf("log: %q", got)
	}
	_ = say.Close()
}

func TestBlockedListenerCanUnsubscribe(t *testing.T) {
	s := spec(t, "echo before ; lines")
	s.Stdin = true
	c := start(t, s)
	ctx, leave := context.WithCancel(t.Context())
	stuck, never := io.Pipe()
	defer func() { _ = stuck.Close() }()
	attached := make(chan error, 1)
	go func() { attached <- c.Attach(ctx, container.Exec{Stdin: strings.NewReader("hi\n"), Stdout: never}) }()
	waitFor(t, s.Log, "got hi")
	leave()
	if err := <-attached; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	var out output
	go func() {
		attached <- c.Attach(t.Context(), container.Exec{Stdin: strings.NewReader("again\n"), Stdout: &out})
	}()
	out.wait(t, "got again")
	if err := c.Signal(9); err != nil {
		t.Fatal(err)
	}
	if err := <-attached; err != nil {
		t.Error(err)
	}
}
