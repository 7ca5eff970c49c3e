package container

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var errNotRunning = errors.New("container is not running")

// Exec implements Container. The command has the container's environment, working directory, and
// user. When ctx ends, only the command is killed. A read from e.Stdin can continue after Exec.
func (c *instance) Exec(ctx context.Context, e Exec) (code int, err error) {
	if len(e.Command) == 0 {
		return 0, errors.New("no command specified")
	}
	p, err := openPipes(e.Stdin != nil && !e.TTY, e.Stdout != nil && !e.TTY, e.Stderr != nil && !e.TTY)
	if err != nil {
		return 0, err
	}
	defer p.closeParent()
	child, terminal, err := c.enter(ctx, e, p)
	if err != nil {
		return 0, err
	}
	if terminal != nil {
		defer func() { _ = terminal.Close() }() // read only
		p.parent[0], p.parent[1] = terminal, terminal
	}
	stop := context.AfterFunc(ctx, func() { _ = child.signal(syscall.SIGKILL) }) // the child might have ended
	defer stop()
	ended := make(chan struct{})
	drained := copyStreams(ctx, e, p, terminal, ended)
	status, err := child.wait()
	close(ended)
	p.setDeadline(drainTimeout) // children of the command can keep its output open
	if err != nil {
		return 0, &ExecError{Command: e.Command[0], Err: err}
	}
	select {
	case <-drained:
	case <-ctx.Done():
		select {
		case <-drained:
		case <-time.After(drainTimeout): // a blocked writer
		}
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	code, _ = exitOf(status)
	return code, nil
}

func (c *instance) enter(ctx context.Context, e Exec, p *pipes) (child *process, terminal *os.File, err error) {
	defer p.closeChild()
	o := &order{
		Join: true, Command: e.Command, Env: c.order.Env, WorkingDir: c.order.WorkingDir, User: c.order.User,
		Groups: c.order.Groups, TTY: e.TTY, OneUser: c.order.OneUser, Nested: c.order.Nested,
	}
	if e.TTY {
		o.Env = withDefault(o.Env, "TERM", "xterm")
	}
	running := c.process.use(func(fd int) {
		var status *net.UnixConn
		child, status, err = c.host.starter.start(&job{order: o, streams: p.child, namespace: fd, into: fd})
		if err == nil {
			p.closeChild()
			terminal, err = outcome(ctx, status)
		}
	})
	if err != nil && child != nil {
		_ = end(child) // err has the reason
	}
	var execErr *ExecError
	switch {
	case !running, errors.Is(err, syscall.ESRCH), errors.Is(err, syscall.ENOMEM):
		err = &ExecError{Command: e.Command[0], Err: errNotRunning} // fork(2) fails with ENOMEM in a PID namespace that has ended
	case errors.As(err, &execErr), err == nil:
	case ctx.Err() != nil:
	default:
		err = &ExecError{Command: e.Command[0], Err: err}
	}
	return child, terminal, err
}

func withDefault(env []string, name, value string) []string {
	if slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") }) {
		return env
	}
	return append(slices.Clone(env), name+"="+value)
}

// copyStreams copies the streams of a command. It closes drained after all output is written.
func copyStreams(ctx context.Context, e Exec, p *pipes, terminal *os.File, ended <-chan struct{}) (drained <-chan struct{}) {
	if in := p.parent[0]; in != nil && e.Stdin != nil {
		go func() {
			_, _ = io.Copy(in, e.Stdin) // ends with the command or the reader
			if terminal == nil {
				_ = in.Close() // send end of file
			}
		}()
	}
	if terminal != nil && e.Resize != nil {
		go resize(ctx, terminal, e.Resize)
	}
	var outputs sync.WaitGroup
	for i, w := range []io.Writer{1: e.Stdout, 2: e.Stderr} {
		if r := p.parent[i]; i > 0 && r != nil && w != nil {
			outputs.Go(func() { copyOutput(w, r, ended) })
		}
	}
	done := make(chan struct{})
	go func() {
		outputs.Wait()
		close(done)
	}()
	return done
}

// copyOutput copies output to w. If a write fails, it discards the remaining output.
func copyOutput(w io.Writer, r *os.File, ended <-chan struct{}) {
	readChunks(r, ended, func(p []byte) {
		if w == nil {
			return
		}
		if _, err := w.Write(p); err != nil {
			w = nil
		}
	})
}

func resize(ctx context.Context, terminal *os.File, sizes <-chan Size) {
	for {
		select {
		case s, ok := <-sizes:
			if !ok {
				return
			}
			if raw, err := terminal.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { // fails for a closed terminal
					_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: s.Height, Col: s.Width})
				})
			}
		case <-ctx.Done():
			return
		}
	}
}

// Attach implements Container. It closes the container's standard input after e.Stdin only if
// StdinOnce is set. A read from e.Stdin can continue after Attach, so the caller must end it.
func (c *instance) Attach(ctx context.Context, e Exec) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listeners := [2]*listener{c.out[0].subscribe(e.Stdout)}
	if c.terminal == nil {
		listeners[1] = c.out[1].subscribe(e.Stderr)
	}
	defer func() {
		for i, l := range listeners {
			if l != nil {
				c.out[i].unsubscribe(l)
			}
		}
	}()
	if c.terminal != nil && e.Resize != nil {
		go resize(ctx, c.terminal, e.Resize)
	}
	if e.Stdin != nil && c.input != nil {
		go c.feed(e.Stdin)
	}
	for _, l := range listeners {
		if l == nil {
			continue
		}
		select {
		case <-l.drained:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func (c *instance) feed(r io.Reader) {
	_, _ = io.Copy(c.input, r) // ends with the container or the reader
	if c.inputOnce && c.terminal == nil {
		_ = c.input.Close() // send end of file; it might be closed already
	}
}

// broadcast copies an output stream to listeners. A slow listener blocks the container, like a full
// pipe. A listener whose write fails is removed.
type broadcast struct {
	mu        sync.Mutex
	ended     bool
	listeners map[*listener]struct{}
	// keep buffers output in early for the first listener. Otherwise, `kubectl run -it` would miss the
	// output before it attaches.
	keep  bool
	early []byte
}

// maxEarly limits the buffer for the first listener, in bytes.
const maxEarly = 64 << 10

// listener is a writer with its own goroutine, so that unsubscribe never waits for a write.
type listener struct {
	in      *io.PipeWriter
	drained chan struct{} // closed when the writer has received everything, or has failed
}

// subscribe adds a writer. If w is nil, its output is discarded.
func (a *broadcast) subscribe(w io.Writer) *listener {
	if w == nil {
		w = io.Discard
	}
	r, in := io.Pipe()
	l := &listener{in: in, drained: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	early := a.early
	a.keep, a.early = false, nil
	go func() {
		defer close(l.drained)
		_, err := io.Copy(w, io.MultiReader(bytes.NewReader(early), r))
		_ = r.CloseWithError(err) // fail later writes
	}()
	if a.ended {
		_ = in.Close() // it cannot fail
		return l
	}
	if a.listeners == nil {
		a.listeners = map[*listener]struct{}{}
	}
	a.listeners[l] = struct{}{}
	return l
}

// unsubscribe removes a listener, even while a write blocks.
func (a *broadcast) unsubscribe(l *listener) {
	_ = l.in.Close() // it cannot fail
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.listeners, l)
}

func (a *broadcast) write(p []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keep {
		a.early = append(a.early, p...)
		a.early = a.early[max(0, len(a.early)-maxEarly):]
	}
	for l := range a.listeners {
		if _, err := l.in.Write(p); err != nil {
			delete(a.listeners, l)
		}
	}
}

func (a *broadcast) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	for l := range a.listeners {
		_ = l.in.Close() // it cannot fail
	}
	a.listeners = nil
}
