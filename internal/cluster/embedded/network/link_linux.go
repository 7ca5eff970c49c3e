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
	"k8s.io/apimachinery/pkg/util/wait"
)

// memberInterface is the name of the interface in nodes and pods.
const memberInterface = "eth0"

// add creates a namespace and connects it to the hub. The hub's interface is named kind + number.
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
			unix.Close(member.fd) //nolint:errcheck // err is more useful
		}
		n.release(address)
		return nil, fmt.Errorf("network of %s %s: %w", kind, address, err)
	}
	member.leave = func() error { return n.leave(address) }
	return member, nil
}

// join runs in the member's namespace. After an error, the end of the namespace removes the
// interfaces.
func (n *Network) join(ctx context.Context, name string, member *namespace) error {
	routes, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	defer routes.Close()
	if err := apply(commonSysctls); err != nil {
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
	if err := awaitUp(ctx, routes, memberEnd); err != nil {
		return err
	}
	return awaitUp(ctx, n.routes, hubEnd)
}

// connect creates the veth pair. The MAC addresses contain the IP address, so both ends know each
// other's without ARP.
func (n *Network) connect(name string, member *namespace) (index int, err error) {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	attributes.HardwareAddr = macAddress(hubSide, member.address)
	// One queue instead of one per CPU, because creating queues slows down every new pod.
	attributes.NumTxQueues, attributes.NumRxQueues = 1, 1
	attributes.Flags = net.FlagUp
	veth := netlink.NewVeth(attributes)
	veth.PeerName = memberInterface
	veth.PeerHardwareAddr = macAddress(memberSide, member.address)
	veth.PeerNamespace = netlink.NsFd(member.fd)
	veth.PeerNumTxQueues, veth.PeerNumRxQueues = 1, 1
	if err := n.routes.LinkAdd(veth); err != nil {
		return 0, fmt.Errorf("veth interface %s: %w", name, explain(err))
	}
	return veth.Index, nil
}

// configure sets the member's address, and the hub as its default gateway.
func configure(routes *netlink.Handle, address netip.Addr) (index int, err error) {
	eth, err := routes.LinkByName(memberInterface)
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", memberInterface, err)
	}
	index = eth.Attrs().Index
	if err := routes.AddrAdd(eth, &netlink.Addr{IPNet: hostNet(address)}); err != nil {
		return 0, fmt.Errorf("address: %w", err)
	}
	if err := routes.LinkSetUp(eth); err != nil {
		return 0, fmt.Errorf("interface %s up: %w", memberInterface, err)
	}
	if err := routes.NeighSet(neighbor(index, Hub, macAddress(hubSide, address))); err != nil {
		return 0, fmt.Errorf("neighbor %s: %w", Hub, err)
	}
	// The member's prefix is /32. "onlink" allows a gateway outside it.
	route := &netlink.Route{LinkIndex: index, Gw: Hub.AsSlice(), Flags: int(netlink.FLAG_ONLINK), Src: address.AsSlice()}
	if err := routes.RouteAdd(route); err != nil {
		return 0, fmt.Errorf("default route: %w", err)
	}
	return index, nil
}

// route adds the hub's route to a member.
func (n *Network) route(index int, address netip.Addr) error {
	if err := n.routes.NeighSet(neighbor(index, address, macAddress(memberSide, address))); err != nil {
		return fmt.Errorf("neighbor: %w", err)
	}
	route := &netlink.Route{LinkIndex: index, Dst: hostNet(address), Scope: netlink.SCOPE_LINK, Src: Hub.AsSlice()}
	if err := n.routes.RouteReplace(route); err != nil {
		return fmt.Errorf("route: %w", err)
	}
	return nil
}

// leave makes a member unreachable and releases its address. The kernel removes the interfaces with
// the namespace, after its last process and socket. It does so for many namespaces at once, whereas
// removing one interface blocks all others for tens of milliseconds. The hub drops packets from a
// member that still runs, because it has no route to their source (rp_filter).
func (n *Network) leave(address netip.Addr) error {
	defer n.release(address)
	err := n.routes.RouteDel(&netlink.Route{Dst: hostNet(address), Scope: netlink.SCOPE_LINK})
	if errors.Is(err, syscall.ESRCH) { // the namespace has ended, and the interface with it
		return nil
	}
	return err
}

// neighbor returns a permanent entry of the ARP table. Permanent entries do not count toward the
// table's limit (gc_thresh3 in arp(7): 1024), which all namespaces of the machine share.
func neighbor(index int, ip netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: index, IP: ip.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}
}

// awaitUp waits until the kernel reports that both ends of a veth pair are up. Until then it drops
// packets, and the retransmission would delay the first connection by a second.
func awaitUp(ctx context.Context, routes *netlink.Handle, index int) error {
	up := func(context.Context) (bool, error) {
		link, err := routes.LinkByIndex(index)
		return err == nil && link.Attrs().OperState == netlink.OperUp, err
	}
	if err := wait.PollUntilContextTimeout(ctx, time.Millisecond, 10*time.Second, true, up); err != nil {
		return fmt.Errorf("wait until the veth interface is up: %w", err)
	}
	return nil
}

// loopback sets lo up.
func loopback(routes *netlink.Handle) (*netlink.Device, error) {
	// lo is always interface 1 of a network namespace.
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1, Name: "lo"}}
	if err := routes.LinkSetUp(lo); err != nil {
		return nil, fmt.Errorf("interface lo up: %w", err)
	}
	return lo, nil
}

// The first byte of the MAC address of each end: locally administered, not multicast (IEEE 802).
const (
	hubSide    = 0x0a
	memberSide = 0x0e
)

func macAddress(side byte, ip netip.Addr) net.HardwareAddr {
	b := ip.As4()
	return net.HardwareAddr{side, 0x58, b[0], b[1], b[2], b[3]}
}

func hostNet(ip netip.Addr) *net.IPNet { return ipNet(netip.PrefixFrom(ip, ip.BitLen())) }

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
