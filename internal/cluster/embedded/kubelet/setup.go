package kubelet

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

const (
	// quietRetry is how long failures repeat before an Event reports them. After the binding, the API
	// server's node authorizer needs a moment to allow the node to read Secrets and ConfigMaps.
	quietRetry = 500 * time.Millisecond
	// refreshEvery is the interval between updates of ConfigMap, Secret, and token files.
	refreshEvery = 30 * time.Second
)

// setup prepares a pod: volumes, network, and host ports.
type setup struct {
	busy, ready bool
	retry       wait.Backoff
	notBefore   time.Time

	address   netip.Addr // zero before allocation
	namespace network.Namespace
	own       bool               // namespace belongs to the pod, not to the node
	ports     context.CancelFunc // closes the host ports
	refresh   time.Time          // next update of the volumes
}

func newSetup() setup { return setup{retry: retryDelays(time.Second, 8*time.Second)} }

func (s *setup) release(k *Kubelet) {
	if s.ports != nil {
		s.ports()
	}
	if s.own && s.namespace != nil {
		_ = s.namespace.Close()
	}
	if s.own {
		k.addresses.release(s.address)
	}
	s.ports, s.namespace, s.own, s.ready = nil, nil, false, false
}

type setupFault struct{ reason, message string }

// prepare starts the setup. step calls prepare again until the setup is complete.
func (w *worker) prepare(now time.Time) {
	if w.setup.busy {
		return
	}
	if now.Before(w.setup.notBefore) {
		w.at(w.setup.notBefore)
		return
	}
	w.setup.busy = true
	next, pod := w.setup, w.pod
	w.k.goroutines.Go(func() {
		fault := next.complete(w.ctx, w.k, pod, w.dir)
		w.post(func() { w.prepared(next, fault) })
	})
}

func (w *worker) prepared(next setup, fault *setupFault) {
	next.busy, next.ready = false, fault == nil
	w.setup = next
	if fault == nil {
		w.setup.refresh = time.Now().Add(refreshEvery)
		return
	}
	w.event(nil, corev1.EventTypeWarning, fault.reason, "%s", fault.message)
	w.setup.notBefore = time.Now().Add(w.setup.retry.Step())
}

func (s *setup) complete(ctx context.Context, k *Kubelet, pod *corev1.Pod, dir string) *setupFault {
	sandbox := func(err error) *setupFault {
		return &setupFault{"FailedCreatePodSandBox", "Failed to create pod sandbox: " + err.Error()}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return sandbox(err)
	}
	if err := s.takeAddress(k, pod); err != nil {
		return sandbox(err)
	}
	err := retryQuietly(ctx, func() error {
		return k.manifests.Volumes(ctx, podspec.Pod{Pod: pod, Address: s.address, Dir: dir})
	})
	if err != nil {
		return &setupFault{"FailedMount", err.Error()}
	}
	if s.namespace == nil {
		if s.namespace, err = k.config.AddPod(ctx, s.address); err != nil {
			s.namespace = nil
			return sandbox(err)
		}
	}
	if s.ports == nil && s.own {
		if s.ports, err = k.openHostPorts(ctx, pod, s.address); err != nil {
			return sandbox(err)
		}
	}
	return nil
}

func (s *setup) takeAddress(k *Kubelet, pod *corev1.Pod) (err error) {
	switch {
	case s.address.IsValid():
	case pod.Spec.HostNetwork:
		s.address, s.namespace = k.config.Address, k.config.Namespace
	default:
		s.address, err = k.addresses.allocate()
		s.own = err == nil
	}
	return err
}

// retryQuietly calls try until it succeeds, for 500 ms at most.
func retryQuietly(ctx context.Context, try func() error) error {
	deadline, r := time.Now().Add(quietRetry), retryDelays(20*time.Millisecond, 100*time.Millisecond)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) || !pause(ctx, r.Step()) {
			return err
		}
	}
}

// refreshVolumes updates the files of a running pod
// (https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically).
func (w *worker) refreshVolumes(now time.Time) {
	if now.Before(w.setup.refresh) {
		w.at(w.setup.refresh)
		return
	}
	w.setup.refresh = now.Add(refreshEvery)
	w.at(w.setup.refresh)
	if len(w.pod.Spec.Volumes) == 0 || w.setup.busy {
		return
	}
	p := podspec.Pod{Pod: w.pod, Address: w.setup.address, Dir: w.dir}
	w.setup.busy = true
	w.k.goroutines.Go(func() {
		err := w.k.manifests.Volumes(w.ctx, p)
		w.post(func() {
			w.setup.busy = false
			if err != nil {
				w.event(nil, corev1.EventTypeWarning, "FailedMount", "%v", err)
			}
		})
	})
}

// addressPool allocates pod addresses. It delays reuse, because clients might still use an old one.
type addressPool struct {
	mu                sync.Mutex
	first, last, next netip.Addr // first is .2, last is .254
	used              map[netip.Addr]bool
}

func newAddressPool(r netip.Prefix) (*addressPool, error) {
	if !r.IsValid() || !r.Addr().Is4() || r.Bits() != 24 {
		return nil, fmt.Errorf("pod range %s is not an IPv4 /24", r)
	}
	b := r.Masked().Addr().As4()
	at := func(host byte) netip.Addr { return netip.AddrFrom4([4]byte{b[0], b[1], b[2], host}) }
	return &addressPool{first: at(2), last: at(254), next: at(2), used: map[netip.Addr]bool{}}, nil
}

func (p *addressPool) allocate() (netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 253 { // .2 to .254
		a := p.next
		if p.next = a.Next(); a == p.last {
			p.next = p.first
		}
		if !p.used[a] {
			p.used[a] = true
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("all addresses from %s to %s are in use", p.first, p.last)
}

func (p *addressPool) release(a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, a)
}

// openHostPorts listens on the node's address for each hostPort of the pod and relays traffic to
// the pod. If a port is in use, it opens none.
func (k *Kubelet) openHostPorts(ctx context.Context, pod *corev1.Pod, address netip.Addr) (closeAll context.CancelFunc, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var serve []func()
	var opened []func() error
	for _, c := range append(append([]corev1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...) {
		for _, p := range c.Ports {
			if p.HostPort == 0 {
				continue
			}
			run, closer, err := k.hostPort(ctx, p, address)
			if err != nil {
				cancel()
				for _, closer := range opened {
					_ = closer()
				}
				return nil, fmt.Errorf("host port %d/%s of container %s: %w", p.HostPort, p.Protocol, c.Name, err)
			}
			serve, opened = append(serve, run), append(opened, closer)
		}
	}
	for _, run := range serve {
		k.goroutines.Go(run)
	}
	return cancel, nil
}

func (k *Kubelet) hostPort(ctx context.Context, p corev1.ContainerPort, address netip.Addr) (serve func(), closer func() error, err error) {
	port := func(n int32) string { return strconv.Itoa(int(n)) }
	here := net.JoinHostPort(cmp.Or(p.HostIP, "0.0.0.0"), port(p.HostPort))
	there := net.JoinHostPort(address.String(), port(p.ContainerPort))
	dial := func(network string) relay.Dial {
		return func(ctx context.Context, _ net.Addr) (net.Conn, error) {
			return k.config.Namespace.Dial(ctx, network, there)
		}
	}
	reported := func(err error) {
		if err != nil && ctx.Err() == nil {
			k.config.Log("node %s: host port %s: %v", k.config.Name, here, err)
		}
	}
	switch p.Protocol {
	case corev1.ProtocolTCP, "":
		l, err := k.config.Namespace.Listen(ctx, "tcp4", here)
		if err != nil {
			return nil, nil, err
		}
		return func() { reported(relay.Stream(ctx, l, dial("tcp4"))) }, l.Close, nil
	case corev1.ProtocolUDP:
		l, err := k.config.Namespace.ListenPacket(ctx, "udp4", here)
		if err != nil {
			return nil, nil, err
		}
		return func() { reported(relay.Packets(ctx, l, dial("udp4"))) }, l.Close, nil
	default:
		return nil, nil, fmt.Errorf("protocol %s is not supported; use TCP or UDP", p.Protocol)
	}
}
