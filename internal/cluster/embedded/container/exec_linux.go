package container

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errNotRunning is the cause of an ExecError where there is no container any more.
var errNotRunning = errors.New("container is not running")

// Exec implements Container. The command has the container's environment, working directory and user. When ctx ends, the
// command is killed; its own children are left to the container. Reads from Stdin that are still waiting when Exec returns
// are the caller's to end.
func (c *instance) Exec(ctx context.Context, e Exec) (code int, err error) {
	if len(e.Command) == 0 {
		return 0, errors.New("no command specified")
	}
	p, err := openPipes(e.Stdin != nil && !e.TTY, e.Stdout != nil && !e.TTY, e.Stderr != nil && !e.TTY)
	if err != nil {
		return 0, err
	}
	defer p.closeOurs()
	child, terminal, err := c.enter(ctx, e, p)
	if err != nil {
		return 0, err
	}
	if terminal != nil {
		defer func() { _ = terminal.Close() }() // read to its end
		p.ours[0], p.ours[1] = terminal, terminal
	}
	stop := context.AfterFunc(ctx, func() { _ = child.signal(syscall.SIGKILL) }) // it may be gone
	defer stop()
	over := make(chan struct{})
	heard := converse(ctx, e, p, terminal, over)
	status, err := child.wait()
	close(over)
	p.limit(lastWords) // children of the command may keep its output open for as long as they like
	if err != nil {
		return 0, &ExecError{Command: e.Command[0], Err: err}
	}
	select {
	case <-heard:
	case <-ctx.Done():
		select {
		case <-heard:
		case <-time.After(lastWords): // a writer that takes nothing
		}
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	code, _ = exitOf(status)
	return code, nil
}

// enter starts a command in the container.
func (c *instance) enter(ctx context.Context, e Exec, p *pipes) (child *process, terminal *os.File, err error) {
	defer p.closeTheirs()
	o := &order{
		Join: true, Command: e.Command, Env: c.order.Env, WorkingDir: c.order.WorkingDir, User: c.order.User,
		Groups: c.order.Groups, TTY: e.TTY, OneUser: c.order.OneUser, Nested: c.order.Nested,
	}
	if e.TTY {
		o.Env = withTerm(o.Env)
	}
	running := c.process.use(func(fd int) {
		var status *net.UnixConn
		child, status, err = c.host.starter.start(&job{order: o, streams: p.theirs, namespace: fd, into: fd})
		if err == nil {
			p.closeTheirs()
			terminal, err = outcome(ctx, status)
		}
	})
	if err != nil && child != nil {
		_ = end(child) // what it said is the reason
	}
	var execErr *ExecError
	switch {
	case !running, errors.Is(err, syscall.ESRCH), errors.Is(err, syscall.ENOMEM):
		err = &ExecError{Command: e.Command[0], Err: errNotRunning} // ENOMEM is what fork(2) says then
	case errors.As(err, &execErr), err == nil:
	case ctx.Err() != nil:
	default:
		err = &ExecError{Command: e.Command[0], Err: err}
	}
	return child, terminal, err
}

func withTerm(env []string) []string {
	for _, kv := range env {
		if strings.HasPrefix(kv, "TERM=") {
			return env
		}
	}
	return append(append([]string(nil), env...), "TERM=xterm")
}

// converse carries the streams of a command until they end. heard is closed when all output has been written.
func converse(ctx context.Context, e Exec, p *pipes, terminal *os.File, over <-chan struct{}) (heard <-chan struct{}) {
	if in := p.ours[0]; in != nil && e.Stdin != nil {
		go func() {
			_, _ = io.Copy(in, e.Stdin) // ends with the command or the reader
			if terminal == nil {
				_ = in.Close() // now the command sees the end
			}
		}()
	}
	if terminal != nil && e.Resize != nil {
		go resize(ctx, terminal, e.Resize)
	}
	var outputs sync.WaitGroup
	for i, w := range []io.Writer{1: e.Stdout, 2: e.Stderr} {
		if r := p.ours[i]; i > 0 && r != nil && w != nil {
			outputs.Go(func() { carry(w, r, over) })
		}
	}
	done := make(chan struct{})
	go func() {
		outputs.Wait()
		close(done)
	}()
	return done
}

// carry copies output. If the writer fails, that is not the command's fault: it goes on unheard.
func carry(w io.Writer, r *os.File, over <-chan struct{}) {
	hear(r, over, func(p []byte) {
		if w == nil {
			return
		}
		if _, err := w.Write(p); err != nil {
			w = nil
		}
	})
}

// resize passes the sizes of the person's terminal on until they or ctx end.
func resize(ctx context.Context, terminal *os.File, sizes <-chan Size) {
	for {
		select {
		case s, ok := <-sizes:
			if !ok {
				return
			}
			setSize(terminal, s)
		case <-ctx.Done():
			return
		}
	}
}

// setSize sets the size of a terminal. It may be closed by now.
func setSize(terminal *os.File, s Size) {
	raw, err := terminal.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: s.Height, Col: s.Width})
	})
}
