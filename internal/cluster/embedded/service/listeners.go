package service

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

// These are the networks of package net that this package uses.
const (
	tcp = "tcp4"
	udp = "udp4"
)

// listeners owns all open listeners. Only the goroutine of run uses it.
type listeners struct {
	log        func(format string, arguments ...any)
	objects    *objects
	changed    queue
	namespaces map[string]network.Namespace // node name to namespace; "" is the hub
	nodes      []string
	nodeNames  map[netip.Addr]string
	open       map[frontend]*listener
	owned      map[key]map[frontend]bool
	reported   map[key]string // problems that are already in the log
	group      sync.WaitGroup
}

func newListeners(c Config, o *objects, changed queue) *listeners {
	l := &listeners{
		log: c.Log, objects: o, changed: changed, namespaces: map[string]network.Namespace{"": c.Hub},
		nodes: slices.Sorted(maps.Keys(c.Nodes)), nodeNames: map[netip.Addr]string{},
		open: map[frontend]*listener{}, owned: map[key]map[frontend]bool{}, reported: map[key]string{},
	}
	for name, node := range c.Nodes {
		l.namespaces[name] = node
		l.nodeNames[node.Address()] = name
	}
	return l
}

// run serves the objects until ctx ends. It returns when all listeners are closed.
func (l *listeners) run(ctx context.Context, ready func()) {
	defer l.group.Wait()
	if !cache.WaitForCacheSync(ctx.Done(), l.objects.synced...) {
		return
	}
	l.objects.each(func(s *corev1.Service) bool {
		l.update(ctx, keyOf(s))
		return true
	})
	ready()
	for {
		k, stopped := l.changed.Get()
		if stopped || ctx.Err() != nil {
			return
		}
		l.update(ctx, k)
		l.changed.Done(k)
	}
}

// update makes a Service's listeners match the API. The queue retries a Service with problems.
func (l *listeners) update(ctx context.Context, k key) {
	var problems []error
	if service := l.objects.service(k); service == nil {
		for f := range l.owned[k] {
			l.close(k, f)
		}
	} else {
		var wanted map[frontend]backends
		wanted, problems = plan(service, l.objects.slicesOf(k), l.nodes)
		l.pauseOthers(k, wanted)
		for f, b := range wanted {
			if err := l.serve(ctx, k, f, b); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", f, err))
			}
		}
	}
	l.report(k, problems)
	if len(problems) == 0 {
		l.changed.Forget(k)
	} else {
		l.changed.AddRateLimited(k)
	}
}

// report logs the problems of a Service when they change.
func (l *listeners) report(k key, problems []error) {
	texts := make([]string, len(problems))
	for i, problem := range problems {
		texts[i] = problem.Error()
	}
	slices.Sort(texts)
	text := strings.Join(texts, "\n")
	if l.reported[k] != text {
		for _, problem := range texts {
			l.log("service %s: %s", k, problem)
		}
	}
	if text == "" {
		delete(l.reported, k)
	} else {
		l.reported[k] = text
	}
}

// pauseOthers pauses a Service's frontends that are not wanted. It closes those for UDP.
func (l *listeners) pauseOthers(k key, wanted map[frontend]backends) {
	for f := range l.owned[k] {
		if _, ok := wanted[f]; ok {
			continue
		}
		if opened := l.open[f]; opened.pausable != nil {
			opened.pausable.pause()
		} else {
			l.close(k, f)
		}
	}
}

func (l *listeners) close(k key, f frontend) {
	opened := l.open[f]
	opened.stop()
	<-opened.done
	delete(l.open, f)
	delete(l.owned[k], f)
	if len(l.owned[k]) == 0 {
		delete(l.owned, k)
	}
}

// serve opens, resumes or updates a frontend.
func (l *listeners) serve(ctx context.Context, k key, f frontend, b backends) error {
	opened := l.open[f]
	if opened != nil && (opened.owner != k || opened.ended()) {
		if opened.owner != k && !opened.isPaused() {
			return fmt.Errorf("the address is in use by service %s", opened.owner)
		}
		l.close(opened.owner, f)
		opened = nil
	}
	if opened == nil {
		opened, err := l.listen(ctx, k, f, b)
		if err != nil {
			return err
		}
		l.open[f] = opened
		if l.owned[k] == nil {
			l.owned[k] = map[frontend]bool{}
		}
		l.owned[k][f] = true
		return nil
	}
	opened.balancer.set(b)
	if opened.isPaused() {
		inner, err := l.namespaces[f.node].Listen(ctx, tcp, f.address.String())
		if err != nil {
			return err
		}
		opened.pausable.resume(inner)
	}
	return nil
}

// listener is an open frontend.
type listener struct {
	owner    key
	balancer *balancer
	pausable *pausableListener // nil for UDP
	stop     context.CancelFunc
	done     chan struct{}
}

func (l *listener) isPaused() bool { return l.pausable != nil && l.pausable.isPaused() }

// ended reports whether the listener has stopped, for example after an error.
func (l *listener) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *listeners) listen(ctx context.Context, k key, f frontend, b backends) (*listener, error) {
	ns := l.namespaces[f.node]
	opened := &listener{owner: k, balancer: newBalancer(b), done: make(chan struct{})}
	dial := func(protocol string) relay.Dial {
		return func(ctx context.Context, client net.Addr) (net.Conn, error) {
			address := addressOf(client)
			return opened.balancer.dial(ctx, ns, protocol, address, l.nodeOf(address))
		}
	}
	var accept func(context.Context) error
	if f.protocol == corev1.ProtocolUDP {
		conn, err := ns.ListenPacket(ctx, udp, f.address.String())
		if err != nil {
			return nil, err
		}
		accept = func(ctx context.Context) error { return relay.Packets(ctx, conn, dial(udp)) }
	} else {
		inner, err := ns.Listen(ctx, tcp, f.address.String())
		if err != nil {
			return nil, err
		}
		opened.pausable = newPausable(inner)
		accept = func(ctx context.Context) error { return relay.Stream(ctx, opened.pausable, dial(tcp)) }
	}
	ctx, opened.stop = context.WithCancel(ctx)
	l.group.Go(func() {
		err := accept(ctx)
		close(opened.done)
		if ctx.Err() == nil {
			l.log("service %s: %s: %v", k, f, err)
			l.changed.Add(k) // update opens it again
		}
	})
	return opened, nil
}

// nodeOf returns the name of a client's node, or "" if the client is not on a node. In package
// network, pods of node N have addresses in 10.244.N.0/24, and node N has the address hub + 1 + N.
func (l *listeners) nodeOf(client netip.Addr) string {
	if !network.Pods.Contains(client) {
		return l.nodeNames[client]
	}
	node := network.Hub.Next().As4()
	node[3] += client.As4()[2]
	return l.nodeNames[netip.AddrFrom4(node)]
}

func addressOf(a net.Addr) netip.Addr {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// pausableListener is a net.Listener that can pause. While a Service has no endpoints, it refuses
// new connections and keeps the existing ones.
type pausableListener struct {
	mu      sync.Mutex
	inner   net.Listener // nil while paused
	changed chan struct{}
	closed  bool
}

func newPausable(inner net.Listener) *pausableListener {
	return &pausableListener{inner: inner, changed: make(chan struct{})}
}

// resume makes Accept continue with a new listener.
func (p *pausableListener) resume(inner net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = inner.Close()
		return
	}
	p.replace(inner)
}

// pause closes the inner listener. Accept waits until resume or Close.
func (p *pausableListener) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replace(nil)
}

// replace replaces the inner listener. The caller must hold the lock.
func (p *pausableListener) replace(inner net.Listener) {
	before := p.inner
	p.inner = inner
	close(p.changed) // before Close, so that Accept knows why it fails
	p.changed = make(chan struct{})
	if before != nil {
		_ = before.Close()
	}
}

func (p *pausableListener) isPaused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inner == nil
}

func (p *pausableListener) Accept() (net.Conn, error) {
	for {
		p.mu.Lock()
		inner, changed, closed := p.inner, p.changed, p.closed
		p.mu.Unlock()
		if closed {
			return nil, net.ErrClosed
		}
		if inner == nil {
			<-changed
			continue
		}
		conn, err := inner.Accept()
		if err == nil {
			return conn, nil
		}
		select {
		case <-changed: // replace closed the listener
		default:
			return nil, err
		}
	}
}

func (p *pausableListener) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.closed = true
	p.replace(nil)
	return nil
}

func (p *pausableListener) Addr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inner == nil {
		return &net.TCPAddr{}
	}
	return p.inner.Addr()
}
