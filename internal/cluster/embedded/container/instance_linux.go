package container

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type instance struct {
	host    *Host
	id      string
	started time.Time
	order   *order
	stop    syscall.Signal
	release func() // of the image's layers

	process   *process
	log       *logger
	out       [2]broadcast   // of standard output and error; a terminal uses only the first
	input     io.WriteCloser // a pipe, the terminal, or nil
	inputOnce bool
	terminal  *os.File
	pumps     sync.WaitGroup // copy the output

	ended, done chan struct{} // closed when no process runs, and after the cleanup
	exit        Exit          // valid after done closes
}

var _ Container = (*instance)(nil)

func newInstance(h *Host, s Spec, o *order, release func()) *instance {
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails
	return &instance{
		host: h, id: hex.EncodeToString(id), order: o, stop: stopSignal(s.Image.StopSignal), release: release,
		log: &logger{}, inputOnce: s.StdinOnce, ended: make(chan struct{}), done: make(chan struct{}),
	}
}

func (c *instance) ID() string            { return c.id }
func (c *instance) Started() time.Time    { return c.started }
func (c *instance) Done() <-chan struct{} { return c.done }

func (c *instance) Exit() Exit {
	select {
	case <-c.done:
		return c.exit
	default:
		return Exit{}
	}
}

func (c *instance) Signal(s syscall.Signal) error {
	if err := c.process.signal(s); err != nil {
		return fmt.Errorf("signal container %s: %w", c.id, err)
	}
	return nil
}

func (c *instance) StopSignal() syscall.Signal { return c.stop }

func (c *instance) launch(ctx context.Context, s Spec) error {
	p, err := openPipes(s.Stdin && !s.TTY, !s.TTY, !s.TTY)
	if err != nil {
		return err
	}
	child, status, err := c.host.starter.start(&job{order: c.order, streams: p.child, namespace: cmp.Or(s.Network, -1), into: -1})
	p.closeChild()
	if err != nil {
		p.closeParent()
		return err
	}
	terminal, err := outcome(ctx, status)
	if err != nil {
		p.closeParent()
		return errors.Join(err, end(child))
	}
	c.started, c.process, c.terminal = time.Now(), child, terminal
	c.out[0].keep, c.out[1].keep = s.Stdin, s.Stdin
	switch {
	case terminal != nil && s.Stdin:
		c.input = terminal
	case p.parent[0] != nil:
		c.input = p.parent[0]
	}
	if terminal != nil {
		c.pump("stdout", terminal, &c.out[0])
	} else {
		c.pump("stdout", p.parent[1], &c.out[0])
		c.pump("stderr", p.parent[2], &c.out[1])
	}
	go c.supervise(p)
	return nil
}

func end(child *process) error {
	err := child.signal(syscall.SIGKILL)
	_, waitErr := child.wait()
	return errors.Join(err, waitErr)
}

func (c *instance) pump(name string, r *os.File, to *broadcast) {
	c.pumps.Go(func() {
		s := &stream{log: c.log, name: name}
		defer s.end()
		defer to.end()
		readChunks(r, c.ended, func(p []byte) {
			s.write(p)
			to.write(p)
		})
	})
}

// supervise waits for the container's end and removes everything but its log.
func (c *instance) supervise(p *pipes) {
	// PID 1 of a PID namespace ends after all other processes; see pid_namespaces(7).
	status, err := c.process.wait()
	c.exit = Exit{Started: c.started, Finished: time.Now(), Err: err}
	c.exit.Code, c.exit.Signal = exitOf(status)
	close(c.ended)
	if c.terminal != nil {
		p.parent[1] = c.terminal
	}
	p.setDeadline(drainTimeout)
	c.pumps.Wait()
	p.closeParent()
	c.discard()
	close(c.done)
}

func (c *instance) discard() {
	c.log.close()
	for _, d := range []string{rootDir, upperDir, workDir, memoryDir} {
		_ = removeTree(filepath.Join(c.order.Dir, d)) // the rest is removed with the container's directory
	}
	c.release()
}

// stopSignal parses the stop signal of an image: "SIGQUIT", "QUIT", or "3".
func stopSignal(s string) syscall.Signal {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n)
	}
	return cmp.Or(unix.SignalNum(s), unix.SignalNum("SIG"+s), syscall.SIGTERM)
}
