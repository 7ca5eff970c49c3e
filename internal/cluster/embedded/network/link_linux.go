package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// outside is what nodes and pods see of the network.
const outside = "eth0"

// add makes a namespace and hangs it on the hub. kind is how its interface in the hub is called, with a number.
func (n *Network) add(ctx context.Context, kind string, address netip.Addr) (Namespace, error) {
	number, err := n.reserve(address)
	if err != nil {
		return nil, fmt.Errorf("network of %s %s: %w", kind, address, err)
	}
	member := &namespace{address: address, fd: -1}
	err = onThread(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("new network namespace: %w", explain(err))
		}
		var err error
		if member.fd, err = current(); err != nil {
			return err
		}
		return n.join(ctx, fmt.Sprintf("%s%d", kind, number), member)
	})
	if err != nil {
		if member.fd >= 0 {
			unix.Close(member.fd) //nolint:errcheck // there is a better error already
		}
		n.release(address)
		return nil, fmt.Errorf("network of %s %s: %w", kind, address, err)
	}
	member.leave = func() error { return n.leave(address) }
	return member, nil
}

// join runs in the member's namespace. After a failure its end takes everything along, as leave says.
func (n *Network) join(ctx context.Context, name string, member *namespace) error {
	routes, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	defer routes.Close()
	if err := apply(everywhere); err != nil {
		return err
	}
	if _, err := loopback(routes); err != nil {
		return err
	}
	hubEnd, err := n.connect(name, member)
	if err != nil {
		return err
	}
	memberEnd, err := configure(routes, member.address)
	if err != nil {
		return err
	}
	if err := n.route(hubEnd, member.address); err != nil {
		return err
	}
	if err := carrier(ctx, routes, memberEnd); err != nil {
		return err
	}
	return carrier(ctx, n.routes, hubEnd)
}

// connect makes the pair of interfaces. Its hardware addresses are made of the IP addresses, so that both ends know each
// other's without asking.
func (n *Network) connect(name string, member *namespace) (index int, err error) {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	attributes.HardwareAddr = hardware(hubSide, member.address)
	// One queue in place of one for each processor: they are made with every pod, and a machine may have many.
	attributes.NumTxQueues, attributes.NumRxQueues = 1, 1
	attributes.Flags = net.FlagUp
	veth := netlink.NewVeth(attributes)
	veth.PeerName = outside
	veth.PeerHardwareAddr = hardware(memberSide, member.address)
	veth.PeerNamespace = netlink.NsFd(member.fd)
	veth.PeerNumTxQueues, veth.PeerNumRxQueues = 1, 1
	if err := n.routes.LinkAdd(veth); err != nil {
		return 0, fmt.Errorf("virtual interface %s: %w", name, explain(err))
	}
	return veth.Index, nil
}

// configure gives the member its address and the way out: everything is behind the hub.
func configure(routes *netlink.Handle, address netip.Addr) (index int, err error) {
	eth, err := routes.LinkByName(outside)
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", outside, err)
	}
	index = eth.Attrs().Index
	if err := routes.AddrAdd(eth, &netlink.Addr{IPNet: host(address)}); err != nil {
		return 0, fmt.Errorf("address: %w", err)
	}
	if err := routes.LinkSetUp(eth); err != nil {
		return 0, fmt.Errorf("interface %s up: %w", outside, err)
	}
	if err := routes.NeighSet(neighbor(index, Hub, hardware(hubSide, address))); err != nil {
		return 0, fmt.Errorf("neighbor %s: %w", Hub, err)
	}
	// The hub is in no network of the member's own, whose prefix is /32; "onlink" lets it be the gateway nevertheless.
	way := &netlink.Route{LinkIndex: index, Gw: Hub.AsSlice(), Flags: int(netlink.FLAG_ONLINK), Src: address.AsSlice()}
	if err := routes.RouteAdd(way); err != nil {
		return 0, fmt.Errorf("default route: %w", err)
	}
	return index, nil
}

// route tells the hub where a member is.
func (n *Network) route(index int, address netip.Addr) error {
	if err := n.routes.NeighSet(neighbor(index, address, hardware(memberSide, address))); err != nil {
		return fmt.Errorf("neighbor: %w", err)
	}
	way := &netlink.Route{LinkIndex: index, Dst: host(address), Scope: netlink.SCOPE_LINK, Src: Hub.AsSlice()}
	if err := n.routes.RouteReplace(way); err != nil {
		return fmt.Errorf("route: %w", err)
	}
	return nil
}

// leave makes a member unreachable, and its address free. The interfaces go with the namespace, when the last process and
// socket in it are gone: the kernel does that later and for many at once, while taking away one makes everybody wait for
// tens of milliseconds. What a member that lives on still sends is dropped, since no route leads to where it came from.
func (n *Network) leave(address netip.Addr) error {
	defer n.release(address)
	err := n.routes.RouteDel(&netlink.Route{Dst: host(address), Scope: netlink.SCOPE_LINK})
	if errors.Is(err, syscall.ESRCH) { // the namespace has ended already, and the interface with it
		return nil
	}
	return err
}

// neighbor is an entry of the ARP table that is never asked for and never forgotten. The table's limits (gc_thresh3 in
// arp(7): 1024) are shared by all namespaces of the machine, and entries of this kind do not count.
func neighbor(index int, ip netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: index, IP: ip.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}
}

// carrier waits until the kernel has noticed that both ends of a pair are up. Until then it drops what is sent, and the first
// connection would lose a second with its first packet.
func carrier(ctx context.Context, routes *netlink.Handle, index int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		l, err := routes.LinkByIndex(index)
		if err != nil {
			return fmt.Errorf("interface: %w", err)
		}
		if l.Attrs().OperState == netlink.OperUp {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("interface %s is not up: %w", l.Attrs().Name, ctx.Err())
		}
	}
}

// loopback brings lo up.
func loopback(routes *netlink.Handle) (*netlink.Device, error) {
	// lo is interface 1 of every network namespace: it is made first.
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1, Name: "lo"}}
	if err := routes.LinkSetUp(lo); err != nil {
		return nil, fmt.Errorf("interface lo up: %w", err)
	}
	return lo, nil
}

// Ends of a pair, as the first byte of their hardware addresses: locally administered, not multicast (IEEE 802).
const (
	hubSide    = 0x0a
	memberSide = 0x0e
)

func hardware(side byte, ip netip.Addr) net.HardwareAddr {
	b := ip.As4()
	return net.HardwareAddr{side, 0x58, b[0], b[1], b[2], b[3]}
}

func host(ip netip.Addr) *net.IPNet { return ipNet(netip.PrefixFrom(ip, ip.BitLen())) }

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
