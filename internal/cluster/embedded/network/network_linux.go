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
	members map[netip.Addr]bool // nodes and pods that exist
	added   int                 // members ever added
}

// New turns the network namespace of the process into the hub. The namespace must be new, because
// New changes its routes and sysctls. The error names the operation that the kernel rejected.
func New(ctx context.Context) (*Network, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fd, err := current()
	if err != nil {
		return nil, err
	}
	n := &Network{hub: &namespace{address: Hub, fd: fd, isHub: true}, members: map[netip.Addr]bool{}}
	if err := n.setUp(); err != nil {
		n.Close() //nolint:errcheck // err is more useful
		return nil, err
	}
	return n, nil
}

func (n *Network) setUp() (err error) {
	if n.routes, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	if err := apply(commonSysctls); err != nil {
		return err
	}
	if err := apply(hubSysctls); err != nil {
		return err
	}
	lo, err := loopback(n.routes)
	if err != nil {
		return err
	}
	if err := n.routes.AddrAdd(lo, &netlink.Addr{IPNet: hostNet(Hub)}); err != nil {
		return fmt.Errorf("address %s: %w", Hub, err)
	}
	for _, local := range []netip.Prefix{Services, Virtual} {
		// A local route makes every address of the range local (ip-route(8)). Sockets can listen on
		// it and connect to it without an address on an interface. Connections to it come from the
		// hub's address.
		r := &netlink.Route{LinkIndex: lo.Index, Dst: ipNet(local), Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL,
			Scope: netlink.SCOPE_HOST, Src: Hub.AsSlice()}
		if err := n.routes.RouteReplace(r); err != nil {
			return fmt.Errorf("local route to %s: %w", local, err)
		}
	}
	for _, members := range []netip.Prefix{Nodes, Pods} {
		// A missing node or pod is unreachable at once ("no route to host"), not after an ARP
		// timeout.
		r := &netlink.Route{Dst: ipNet(members), Type: unix.RTN_UNREACHABLE}
		if err := n.routes.RouteReplace(r); err != nil {
			return fmt.Errorf("unreachable route to %s: %w", members, err)
		}
	}
	return nil
}

// Hub returns the namespace of the supervisor. It has every address of Services and Virtual.
func (n *Network) Hub() Namespace { return n.hub }

// AddNode creates the network namespace of a node. address must be in Nodes.
func (n *Network) AddNode(ctx context.Context, address netip.Addr) (Namespace, error) {
	if !Nodes.Contains(address) || address == Hub {
		return nil, fmt.Errorf("node %s: not an address for nodes (%s)", address, Nodes)
	}
	return n.add(ctx, "node", address)
}

// AddPod creates the network namespace of a pod. address must be in Pods and not in use by another
// open Namespace. It takes a few milliseconds and is safe for concurrent use.
func (n *Network) AddPod(ctx context.Context, address netip.Addr) (Namespace, error) {
	if !Pods.Contains(address) {
		return nil, fmt.Errorf("pod %s: not an address for pods (%s)", address, Pods)
	}
	return n.add(ctx, "pod", address)
}

// reserve reserves an address and returns the number of the new member.
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

// Close releases the hub. Close the namespaces of nodes and pods first.
func (n *Network) Close() error {
	if n.routes != nil {
		n.routes.Close()
	}
	return n.hub.Close()
}
