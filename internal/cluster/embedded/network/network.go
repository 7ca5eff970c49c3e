// Package network creates the private network of a cluster. It is a star: the network namespace of
// the supervisor is its router, called the hub.
//
//	hub      172.30.0.1          API server, DNS server, cluster IPs of Services (10.96.0.0/16)
//	nodes    172.30.0.2 and up   a namespace each, for host-network pods, host ports, node ports and the kubelet API
//	pods     10.244.N.2 and up   a namespace each
//
// A veth(4) pair connects each namespace to the hub, which forwards packets. A process in a pod has
// its own ports, loopback address and source address, as in a real cluster. The package needs no
// external program, only CAP_NET_ADMIN in the hub's network namespace. The user namespace of the
// supervisor grants that capability.
//
// The namespaces have no names in the file system. Each exists while a process has it open, so all
// of them end with the supervisor.
package network

import (
	"context"
	"net"
	"net/netip"
)

// Addresses of every embedded cluster. They are private to its network namespaces, so two clusters
// can have the same addresses.
var (
	// Hub is the address of the API server and the DNS server for nodes and pods.
	Hub   = netip.MustParseAddr("172.30.0.1")
	Nodes = netip.MustParsePrefix("172.30.0.0/24") // Nodes is the range of node addresses
	// Pods is the range of pod addresses. Node N (from 0) has 10.244.N.0/24.
	Pods = netip.MustParsePrefix("10.244.0.0/16")
	// Services is the range of cluster IPs: the API server's --service-cluster-ip-range.
	Services = netip.MustParsePrefix("10.96.0.0/16")
	// DNS is the cluster IP of the Service kube-system/kube-dns.
	DNS = netip.MustParseAddr("10.96.0.10")
	// Virtual is the range for virtual pods (docs/scale.md). The hub has every address in it.
	Virtual = netip.MustParsePrefix("10.128.0.0/9")
)

// Namespace is the network namespace of the hub, a node or a pod. It is safe for concurrent use.
type Namespace interface {
	Address() netip.Addr
	// Listen is like net.Listen, for a socket in the namespace. network is "tcp" or "tcp4".
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	// ListenPacket is like net.ListenPacket. network is "udp" or "udp4".
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
	// Dial connects from inside the namespace, so 127.0.0.1 is the namespace's loopback address.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	// FD is the namespace's file descriptor for setns(2), valid until Close.
	FD() int
	// Close releases the namespace. The kernel removes it after its last process has ended.
	Close() error
}
