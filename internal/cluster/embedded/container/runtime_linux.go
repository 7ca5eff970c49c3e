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
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Host is a Runtime on this machine. Its containers end with the program.
//
// It requires Linux 5.12 or newer and CAP_SYS_ADMIN in its user namespace.
type Host struct {
	starter         *starter
	leases          leases
	oneUser, nested bool // see order
}

var _ Runtime = (*Host)(nil)

// NewHost returns a runtime. The runtime uses one thread of the program permanently.
func NewHost() (*Host, error) {
	oneUser, nested, err := users()
	if err != nil {
		return nil, fmt.Errorf("container runtime: %w", err)
	}
	s, err := newStarter()
	if err != nil {
		return nil, fmt.Errorf("container runtime: %w", err)
	}
	return &Host{starter: s, oneUser: oneUser, nested: nested}, nil
}

// users reads the mapping of this process's user namespace; see user_namespaces(7).
func users() (one, nested bool, err error) {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false, false, err
	}
	const allUsers = "4294967295"
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return false, false, errors.New("/proc/self/uid_map is empty: this user namespace maps no users")
	}
	return len(fields) == 3 && fields[2] == "1", len(fields) != 3 || fields[2] != allUsers, nil
}

// Start implements Runtime. The end of ctx does not stop a container that has started.
func (h *Host) Start(ctx context.Context, s Spec) (Container, error) {
	c, err := h.start(ctx, s)
	if err == nil {
		return c, nil
	}
	var execErr *ExecError
	if errors.As(err, &execErr) {
		return nil, execErr
	}
	return nil, fmt.Errorf("container %s: %w", s.Name, err)
}

func (h *Host) start(ctx context.Context, s Spec) (_ *instance, err error) {
	o, err := h.orderFor(s)
	if err != nil {
		return nil, err
	}
	release, err := h.leases.acquire(o.Layers)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", s.Image.Ref, err)
	}
	c := newInstance(h, s, o, release)
	defer func() {
		if err != nil {
			c.discard()
		}
	}()
	if err := makeDirs(o.Dir); err != nil {
		return nil, err
	}
	if s.Log != "" {
		if err := c.log.open(filepath.Clean(s.Log)); err != nil {
			return nil, fmt.Errorf("log: %w", err)
		}
	}
	if err := c.launch(ctx, s); err != nil {
		return nil, err
	}
	return c, nil
}

// makeDirs creates the mount points. Their mode is visible in the container.
func makeDirs(dir string) error {
	for _, d := range []string{rootDir, upperDir, workDir} {
		path := filepath.Join(dir, d)
		if err := os.MkdirAll(path, 0o755); err != nil { //nolint:gosec // the usual mode in images
			return err
		}
		if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // independent of the umask
			return err
		}
	}
	return nil
}

func (h *Host) orderFor(s Spec) (*order, error) {
	command := commandOf(s)
	if len(command) == 0 {
		return nil, errors.New("no command specified")
	}
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil, err
	}
	return &order{
		Command: command, Env: environment(s), WorkingDir: filepath.Join("/", cmp.Or(s.WorkingDir, s.Image.WorkingDir)),
		User: userOf(s), Groups: s.Groups, TTY: s.TTY, OneUser: h.oneUser, Nested: h.nested, Dir: dir, Layers: s.Image.Layers,
		Hostname: s.Hostname, Mounts: s.Mounts, ReadOnly: s.ReadOnly, OwnNetwork: s.Network > 0,
	}, nil
}

// commandOf combines the command of the manifest with the image's
// (https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/#notes).
func commandOf(s Spec) []string {
	entrypoint, args := s.Image.Entrypoint, s.Image.Cmd
	if len(s.Command) > 0 {
		entrypoint, args = s.Command, nil
	}
	if len(s.Args) > 0 {
		args = s.Args
	}
	return append(append([]string(nil), entrypoint...), args...)
}

// userOf returns "user:group". As in other runtimes, a manifest's user cancels the image's group.
func userOf(s Spec) string {
	user, group, _ := strings.Cut(s.Image.User, ":")
	if s.User != nil {
		user, group = strconv.FormatInt(*s.User, 10), ""
	}
	if s.Group != nil {
		group = strconv.FormatInt(*s.Group, 10)
	}
	if group == "" {
		return user
	}
	return cmp.Or(user, "0") + ":" + group
}

// environment returns the program's variables. The manifest overrides the image and the defaults.
func environment(s Spec) []string {
	all := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if s.Hostname != "" {
		all = append(all, "HOSTNAME="+s.Hostname)
	}
	if s.TTY {
		all = append(all, "TERM=xterm")
	}
	all = append(append(all, s.Image.Env...), s.Env...)
	place := map[string]int{}
	var env []string
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := place[name]; ok {
			env[i] = kv
			continue
		}
		place[name] = len(env)
		env = append(env, kv)
	}
	return env
}

type instance struct {
	host    *Host
	id      string
	started time.Time
	order   *order
	stop    syscall.Signal
	release func() // releases the image's layers

	process   *process
	log       *logger
	out       [2]broadcast   // of standard output and error; a terminal uses only the first
	input     io.WriteCloser // a pipe, the terminal, or nil
	inputOnce bool
	terminal  *os.File
	pumps     sync.WaitGroup // copy the output

	ended, done chan struct{} // ended closes when no process runs, done after the cleanup
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

// supervise waits until the container ends, and removes everything except the log.
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
