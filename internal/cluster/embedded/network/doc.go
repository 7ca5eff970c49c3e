// Package network makes the private network of a cluster: a star whose hub is the network namespace of the supervisor.
//
//	hub      172.30.0.1          API server, virtual addresses of Services (10.96.0.0/16), DNS
//	nodes    172.30.0.2 and on   a namespace each, for pods with hostNetwork, host ports, node ports and the node's API
//	pods     10.244.N.2 and on   a namespace each
//
// Every namespace hangs on a pair of virtual interfaces (veth(4)) with one end in the hub, which forwards. A process in a
// pod therefore has ports, a loopback address and a source address that nobody else has, as on a real cluster. All of it
// needs the right to administer the hub's network namespace, which its user namespace gives, and no program on the machine.
//
// The namespaces have no names in the file system: they live as long as somebody holds them open, and vanish with the supervisor.
package network
