package kubelet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

// program is the behavior of a fake container.
type program struct {
	// exits is when and how it exits without a signal; nil for never.
	exits *fakeExit
	// stubborn makes it ignore SIGTERM.
	stubborn bool
	// starting is the error of Start.
	starting error
}

type fakeExit struct {
	code  int
	after time.Duration
}

// fakeRuntime records the started containers in order.
type fakeRuntime struct {
	mu      sync.Mutex
	program map[string]program // by container name
	started []*fakeContainer
	exec    func(ctx context.Context, e container.Exec) (int, error)
}

func (r *fakeRuntime) does(name string, p program) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.program[name] = p
}

func (r *fakeRuntime) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, c := range r.started {
		names = append(names, c.spec.Name)
	}
	return names
}

// latest returns the container of that name that started last.
func (r *fakeRuntime) latest(name string) *fakeContainer {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range slices.Backward(r.started) {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

func (r *fakeRuntime) Start(_ context.Context, s container.Spec) (container.Container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.program[s.Name]
	if p.starting != nil {
		return nil, p.starting
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s-%d", s.Name, len(r.started)))
	c := &fakeContainer{
		spec: s, id: hex.EncodeToString(sum[:]), since: time.Now(), done: make(chan struct{}), program: p, exec: r.exec,
	}
	r.started = append(r.started, c)
	if e := p.exits; e != nil {
		time.AfterFunc(e.after, func() { c.end(e.code) })
	}
	return c, nil
}

type fakeContainer struct {
	spec    container.Spec
	id      string
	since   time.Time
	program program
	done    chan struct{}

	mu      sync.Mutex
	exit    container.Exit
	signals []syscall.Signal
	execs   []string
	exec    func(ctx context.Context, e container.Exec) (int, error)
}

func (c *fakeContainer) end(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		return
	default:
	}
	c.exit = container.Exit{Code: code, Started: c.since, Finished: time.Now()}
	close(c.done)
}

func (c *fakeContainer) ID() string                 { return c.id }
func (c *fakeContainer) Started() time.Time         { return c.since }
func (c *fakeContainer) Done() <-chan struct{}      { return c.done }
func (c *fakeContainer) StopSignal() syscall.Signal { return syscall.SIGTERM }

func (c *fakeContainer) Exit() container.Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit
}

func (c *fakeContainer) Signal(s syscall.Signal) error {
	c.mu.Lock()
	c.signals = append(c.signals, s)
	c.mu.Unlock()
	if s == syscall.SIGKILL || !c.program.stubborn {
		c.end(128 + int(s))
	}
	return nil
}

func (c *fakeContainer) got() []syscall.Signal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.signals)
}

func (c *fakeContainer) Exec(ctx context.Context, e container.Exec) (int, error) {
	c.mu.Lock()
	exec := c.exec
	c.execs = append(c.execs, fmt.Sprint(e.Command))
	c.mu.Unlock()
	if exec == nil {
		return 0, nil
	}
	return exec(ctx, e)
}

func (c *fakeContainer) Attach(context.Context, container.Exec) error {
	return errors.New("streams are not supported")
}

type fakeImages struct {
	mu    sync.Mutex
	known []string
}

func (i *fakeImages) load(ref string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known = append(i.known, ref)
}

func (i *fakeImages) Find(ref string) (*container.Image, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if ref == "Not A Reference" {
		return nil, &container.InvalidImageError{Ref: ref, Err: errors.New("invalid reference format")}
	}
	if !slices.Contains(i.known, ref) {
		return nil, &container.UnknownImageError{Ref: ref, Known: slices.Clone(i.known)}
	}
	return &container.Image{Ref: "docker.io/library/" + ref, ID: "sha256:abc"}, nil
}

// fakeManifests returns the errors that a test sets.
type fakeManifests struct {
	mu              sync.Mutex
	volumes, config error
}

func (m *fakeManifests) set(volumes, config error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.volumes, m.config = volumes, config
}

func (m *fakeManifests) Volumes(context.Context, podspec.Pod) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.volumes
}

func (m *fakeManifests) Render(_ context.Context, _ podspec.Pod, c *corev1.Container) (container.Spec, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return container.Spec{Name: c.Name}, m.config
}

// fakeNamespace is a network namespace with the servers of a test.
type fakeNamespace struct {
	address netip.Addr
	mu      sync.Mutex
	taken   map[string]bool
	serve   map[string]func(net.Conn) // by address
	closed  bool
}

func newNamespace(a netip.Addr) *fakeNamespace {
	return &fakeNamespace{address: a, taken: map[string]bool{}, serve: map[string]func(net.Conn){}}
}

func (n *fakeNamespace) Address() netip.Addr { return n.address }
func (n *fakeNamespace) FD() int             { return -1 }

func (n *fakeNamespace) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	return nil
}

func (n *fakeNamespace) answer(address string, serve func(net.Conn)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.serve[address] = serve
}

func (n *fakeNamespace) Dial(_ context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	serve := n.serve[address]
	n.mu.Unlock()
	if serve == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	client, server := net.Pipe()
	go serve(server)
	return client, nil
}

func (n *fakeNamespace) Listen(_ context.Context, _, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.taken[address] {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	n.taken[address] = true
	return &fakeListener{namespace: n, address: address, closed: make(chan struct{})}, nil
}

func (n *fakeNamespace) ListenPacket(context.Context, string, string) (net.PacketConn, error) {
	return nil, errors.New("packets are not supported")
}

type fakeListener struct {
	namespace *fakeNamespace
	address   string
	once      sync.Once
	closed    chan struct{}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l *fakeListener) Close() error {
	l.once.Do(func() {
		l.namespace.mu.Lock()
		delete(l.namespace.taken, l.address)
		l.namespace.mu.Unlock()
		close(l.closed)
	})
	return nil
}

func (l *fakeListener) Addr() net.Addr { return &net.TCPAddr{} }
