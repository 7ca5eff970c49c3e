package kubelet

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

// addressPool allocates pod addresses. It reuses a released address as late as possible, because
// clients might still have it.
type addressPool struct {
	mu    sync.Mutex
	first netip.Addr // .2
	last  netip.Addr // .254
	next  netip.Addr
	used  map[netip.Addr]bool
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

// hostPorts are the open host ports of a pod.
type hostPorts struct{ cancel context.CancelFunc }

func (p *hostPorts) close() {
	if p != nil {
		p.cancel()
	}
}

// openHostPorts listens on the node's address for each hostPort of the pod and relays traffic to
// the pod. If a port is in use, it opens none.
func (k *Kubelet) openHostPorts(ctx context.Context, pod *corev1.Pod, address netip.Addr) (*hostPorts, error) {
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
	return &hostPorts{cancel}, nil
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
