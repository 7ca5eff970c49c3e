package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Network is the private network of a cluster.
type Network struct {
	hub    *namespace
	routes *netlink.Handle // in the hub

	mu      sync.Mutex
	members map[netip.Addr]bool // those in use
	added   int                 // members there ever were
}

// New makes the hub out of the network namespace that the process is in, which must be a fresh one: it changes routes and
// settings of it. The error says which part the kernel did not allow.
func New(ctx context.Context) (*Network, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fd, err := current()
	if err != nil {
		return nil, err
	}
	n := &Network{hub: &namespace{address: Hub, fd: fd, here: true}, members: map[netip.Addr]bool{}}
	if err := n.setUp(); err != nil {
		n.Close() //nolint:errcheck // there is a better error already
		return nil, err
	}
	return n, nil
}

func (n *Network) setUp() (err error) {
	if n.routes, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	if err := apply(everywhere); err != nil {
		return err
	}
	if err := apply(onHub); err != nil {
		return err
	}
	lo, err := loopback(n.routes)
	if err != nil {
		return err
	}
	if err := n.routes.AddrAdd(lo, &netlink.Addr{IPNet: host(Hub)}); err != nil {
		return fmt.Errorf("address %s: %w", Hub, err)
	}
	for _, local := range []netip.Prefix{Services, Virtual} {
		// Every address of the range is one of this machine's own: listening on it and connecting to it need no address on an
		// interface (the kernel's local table, ip-route(8)). What connects to one from here comes from the hub's address.
		r := &netlink.Route{LinkIndex: lo.Index, Dst: ipNet(local), Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL,
			Scope: netlink.SCOPE_HOST, Src: Hub.AsSlice()}
		if err := n.routes.RouteReplace(r); err != nil {
			return fmt.Errorf("local route to %s: %w", local, err)
		}
	}
	for _, members := range []netip.Prefix{Nodes, Pods} {
		// Who is not there is unreachable at once ("no route to host"), not only when its neighbors have asked in vain.
		r := &netlink.Route{Dst: ipNet(members), Type: unix.RTN_UNREACHABLE}
		if err := n.routes.RouteReplace(r); err != nil {
			return fmt.Errorf("unreachable route to %s: %w", members, err)
		}
	}
	return nil
}

// Hub is the network of the supervisor: every address of Services and Virtual is its own.
func (n *Network) Hub() Namespace { return n.hub }

// AddNode makes the network of a node; address is one of Nodes.
func (n *Network) AddNode(ctx context.Context, address netip.Addr) (Namespace, error) {
	if !Nodes.Contains(address) || address == Hub {
		return nil, fmt.Errorf("node %s: not an address for nodes (%s)", address, Nodes)
	}
	return n.add(ctx, "node", address)
}

// AddPod makes the network of a pod; address is one of Pods, and nobody else's until the Namespace is closed. It takes some
// milliseconds; calls at the same time are fine.
func (n *Network) AddPod(ctx context.Context, address netip.Addr) (Namespace, error) {
	if !Pods.Contains(address) {
		return nil, fmt.Errorf("pod %s: not an address for pods (%s)", address, Pods)
	}
	return n.add(ctx, "pod", address)
}

// reserve takes an address and gives the number of its member.
func (n *Network) reserve(address netip.Addr) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.members[address] {
		return 0, errors.New("the address is in use")
	}
	n.members[address] = true
	n.added++
	return n.added, nil
}

func (n *Network) release(address netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.members, address)
}

// Close lets go of the hub. Those of nodes and pods are to be closed before.
func (n *Network) Close() error {
	if n.routes != nil {
		n.routes.Close()
	}
	return n.hub.Close()
}
