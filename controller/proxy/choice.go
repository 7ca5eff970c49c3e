package proxy

import (
	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

var algorithms = [...]balancer.Algorithm{
	annotations.RoundRobin: balancer.RoundRobin,
	annotations.LeastConn:  balancer.LeastConn,
	annotations.EWMA:       balancer.EWMA,
}

// choice says how the next endpoint for the request is chosen, in the words of the package upstream.
func (x *exchange) choice() balancer.Choice {
	c := balancer.Choice{By: algorithms[x.decision.LoadBalance], HashKey: x.decision.HashKey, Tried: x.tried}
	if own := x.decision.Endpoint; own != nil {
		c.Prefer = x.pool.Find(identity(own))
		c.Insist = x.decision.Policy.Affinity.Persistent
	}
	return c
}

// identity is what an endpoint of a table is called in the live state.
func identity(e *routing.Endpoint) balancer.Identity {
	t := balancer.Identity{Address: e.Address, Name: e.Name}
	if e.Pod.Name != "" {
		t.Pod = e.Pod.String()
	}
	return t
}
