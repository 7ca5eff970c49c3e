package balancer

import (
	"math"
	"slices"
	"sync/atomic"
)

// ring remembers whose turn it is.
type ring struct{ next atomic.Uint64 }

// avoidedCost is more than any endpoint costs that is not avoided.
const avoidedCost = math.MaxInt64 / 2

// cheapest goes around once, begins with the endpoint whose turn it is, and takes the first of those that cost least. What
// comes after that one has the next turn. If the turn only moved by one, the neighbor of an endpoint that is passed over
// would get its whole share. Costs are never negative, so a walk ends at the first 0.
func (r *ring) cheapest(endpoints, tried []*Endpoint, cost func(*Endpoint) int64) *Endpoint {
	count := uint64(len(endpoints))
	for {
		start := r.next.Load()
		var best *Endpoint
		place, lowest := start, int64(math.MaxInt64)
		for i := range count {
			e := endpoints[(start+i)%count]
			if slices.Contains(tried, e) {
				continue
			}
			c := cost(e)
			if e.Avoided() {
				c += avoidedCost
			}
			if c < lowest {
				best, place, lowest = e, start+i, c
			}
			if lowest == 0 {
				break
			}
		}
		if best == nil || r.next.CompareAndSwap(start, place+1) {
			return best
		}
	}
}
