package kubelet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

// hostPorts are the open host ports of one pod.
type hostPorts struct{ cancel context.CancelFunc }

func (p *hostPorts) close() {
	if p != nil {
		p.cancel()
	}
}

// openHostPorts listens on the node's address for every hostPort of the pod and carries what comes to the pod. If one port is
// in use, none is opened.
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
		k.ended.Go(run)
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
	said := func(err error) {
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
		return func() { said(relay.Stream(ctx, l, dial("tcp4"))) }, l.Close, nil
	case corev1.ProtocolUDP:
		l, err := k.config.Namespace.ListenPacket(ctx, "udp4", here)
		if err != nil {
			return nil, nil, err
		}
		return func() { said(relay.Packets(ctx, l, dial("udp4"))) }, l.Close, nil
	default:
		return nil, nil, errors.New("only TCP and UDP are carried")
	}
}
