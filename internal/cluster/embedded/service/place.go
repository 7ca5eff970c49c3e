package service

import (
	"net/netip"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// The networks of the net package that are used here.
const (
	tcp = "tcp4"
	udp = "udp4"
)

// place is a namespace that has frontends.
type place struct {
	network.Namespace
	// names are those of the nodes, by their address.
	names map[netip.Addr]string
}

// nodeOf names the node that a client is on; empty if it is on none. Package network has the rule: pods of node number N
// are in 10.244.N.0/24, and the node itself is the N-th after the hub's neighbor.
func (p *place) nodeOf(client netip.Addr) string {
	if !network.Pods.Contains(client) {
		return p.names[client]
	}
	node := network.Hub.Next().As4()
	node[3] += client.As4()[2]
	return p.names[netip.AddrFrom4(node)]
}

// places are the hub, by the empty name, and the nodes.
func places(c Config) map[string]*place {
	names := map[netip.Addr]string{}
	result := map[string]*place{"": {c.Hub, names}}
	for name, node := range c.Nodes {
		names[node.Address()] = name
		result[name] = &place{node, names}
	}
	return result
}
