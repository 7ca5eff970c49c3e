package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/wait"
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
		// A local route makes every address of the range local (ip-route(8)). Sockets can listen on it
		// and connect to it, although no interface has it. Connections to it come from the hub's address.
		r := &netlink.Route{LinkIndex: lo.Index, Dst: ipNet(local), Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL,
			Scope: netlink.SCOPE_HOST, Src: Hub.AsSlice()}
		if err := n.routes.RouteReplace(r); err != nil {
			return fmt.Errorf("local route to %s: %w", local, err)
		}
	}
	for _, members := range []netip.Prefix{Nodes, Pods} {
		// A connection to a missing node or pod fails at once ("no route to host"), not after a timeout.
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
		return nil, fmt.Errorf("node address %s is not in the node range %s", address, Nodes)
	}
	return n.add(ctx, "node", address)
}

// AddPod creates the network namespace of a pod. address must be in Pods and not in use by another
// open Namespace. It takes a few milliseconds and is safe for concurrent use.
func (n *Network) AddPod(ctx context.Context, address netip.Addr) (Namespace, error) {
	if !Pods.Contains(address) {
		return nil, fmt.Errorf("pod address %s is not in the pod range %s", address, Pods)
	}
	return n.add(ctx, "pod", address)
}

// reserve reserves an address. It returns the number of the new member.
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

// join runs in the member's namespace. If it fails, the namespace's end removes the interfaces.
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

// connect creates the veth pair. No ARP is necessary: the MAC addresses contain the IP address.
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

// configure sets the member's address. It makes the hub the member's default gateway.
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
	// The member's prefix is /32, so the gateway is outside it. "onlink" allows such a gateway.
	route := &netlink.Route{LinkIndex: index, Gw: Hub.AsSlice(), Flags: int(netlink.FLAG_ONLINK), Src: address.AsSlice()}
	if err := routes.RouteAdd(route); err != nil {
		return 0, fmt.Errorf("default route: %w", err)
	}
	return index, nil
}

// route adds a route to the member in the hub.
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
// the namespace, after its last process and socket. The kernel does so for many namespaces at once,
// but removing a single interface blocks all others for tens of milliseconds. If a member still
// runs, the hub drops its packets, because the hub has no route to their source (rp_filter).
func (n *Network) leave(address netip.Addr) error {
	defer n.release(address)
	err := n.routes.RouteDel(&netlink.Route{Dst: hostNet(address), Scope: netlink.SCOPE_LINK})
	if errors.Is(err, syscall.ESRCH) { // the namespace has ended, and the interface with it
		return nil
	}
	return err
}

// neighbor returns a permanent entry of the ARP table. A permanent entry does not count toward the
// limit of 1024 entries that all namespaces of the machine share (gc_thresh3 in arp(7)).
func neighbor(index int, ip netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: index, IP: ip.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}
}

// awaitUp waits until the kernel reports that both ends of a veth pair are up. Until then, the
// kernel drops packets, and the first connection would wait a second for the retransmission.
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

func loopback(routes *netlink.Handle) (*netlink.Device, error) {
	// In every network namespace, lo is interface 1.
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1, Name: "lo"}}
	if err := routes.LinkSetUp(lo); err != nil {
		return nil, fmt.Errorf("interface lo up: %w", err)
	}
	return lo, nil
}

// These are the first bytes of the ends' MAC addresses: locally administered, unicast (IEEE 802).
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

// sysctl is a parameter below /proc/sys/net. Each network namespace has its own value
// (https://docs.kernel.org/networking/ip-sysctl.html). A thread writes the value of its namespace.
type sysctl struct {
	name, value string
	// optional parameters are missing in some kernels, such as those without IPv6.
	optional bool
}

// commonSysctls apply to the hub, nodes and pods.
var commonSysctls = []sysctl{
	// As in container runtimes, every user can open ports below 1024. Web server images rely on it.
	{name: "ipv4/ip_unprivileged_port_start", value: "0"},
	// The cluster uses IPv4 only. New interfaces get no link-local address and send no IPv6
	// packets; lo keeps ::1.
	{name: "ipv6/conf/default/disable_ipv6", value: "1", optional: true},
	// New namespaces inherit the machine's value. With any value but 1, pods could spoof addresses.
	{name: "ipv4/conf/all/rp_filter", value: "1"},
	{name: "ipv4/conf/default/rp_filter", value: "1"},
}

// hubSysctls apply to the hub only.
var hubSysctls = []sysctl{
	{name: "ipv4/ip_forward", value: "1"},
	// In a real cluster, a cluster IP is only a forwarding rule, so it does not answer a ping.
	{name: "ipv4/icmp_echo_ignore_all", value: "1"},
	// Connections to a deleted pod fail at once, because its "unreachable" messages do not count
	// toward the limit of the machine (icmp_msgs_per_sec). A limit per client remains, which only the
	// machine can change (route/error_cost): five at once, then one a second, when clients retry.
	{name: "ipv4/icmp_ratemask", value: "0"},
	// Every route goes through the hub, so ICMP redirects are useless.
	{name: "ipv4/conf/all/send_redirects", value: "0"},
	{name: "ipv4/conf/default/send_redirects", value: "0"},
}

// apply writes sysctls in the namespace of the calling thread.
func apply(sysctls []sysctl) error {
	for _, s := range sysctls {
		err := os.WriteFile("/proc/sys/net/"+s.name, []byte(s.value), 0)
		if s.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("set %s to %s: %w", s.name, s.value, err)
		}
	}
	return nil
}
