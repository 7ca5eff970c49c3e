package balancer

// roundRobin gives every endpoint its turn, whatever it has to do already (annotation load-balance: round_robin).
type roundRobin struct{ ring ring }

// pick implements picker.
func (r *roundRobin) pick(endpoints, tried []*Endpoint) *Endpoint {
	return r.ring.cheapest(endpoints, tried, func(*Endpoint) int64 { return 0 })
}
