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
// The namespaces have no names in the file system. They exist while a process has them open, and
// end with the supervisor.
package network
