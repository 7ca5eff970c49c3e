package network

import (
	"context"
	"net"
	"net/netip"
)

// Addresses of every embedded cluster. They are private to its network namespaces, so that two clusters may have the same.
var (
	// Hub is where the API server and the DNS server are, as nodes and pods see them.
	Hub = netip.MustParseAddr("172.30.0.1")
	// Nodes is the range of node addresses.
	Nodes = netip.MustParsePrefix("172.30.0.0/24")
	// Pods is the range of pod addresses; node number N (from 0) has 10.244.N.0/24.
	Pods = netip.MustParsePrefix("10.244.0.0/16")
	// Services is the range of virtual addresses, the API server's --service-cluster-ip-range.
	Services = netip.MustParsePrefix("10.96.0.0/16")
	// DNS is the virtual address of the Service kube-system/kube-dns.
	DNS = netip.MustParseAddr("10.96.0.10")
	// Virtual is the range for pods that have no process (see docs/scale.md): every address of it is the hub itself.
	Virtual = netip.MustParsePrefix("10.128.0.0/9")
)

// Namespace is the network of one node or one pod, or the hub. Its methods may be called from any goroutine.
type Namespace interface {
	// Address is its own.
	Address() netip.Addr
	// Listen is net.Listen for a socket that belongs to the namespace. network is "tcp" or "tcp4".
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	// ListenPacket is Listen for "udp" or "udp4".
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
	// Dial connects from inside the namespace, so that 127.0.0.1 is its own loopback address.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	// FD is the open namespace for setns(2), valid until Close.
	FD() int
	// Close lets go of the namespace. Processes that still run in it keep it.
	Close() error
}
