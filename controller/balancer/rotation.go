package balancer

import (
	"math"
	"slices"
	"sync/atomic"
)

// rotation stores the position in the list of endpoints from which the next selection starts.
type rotation struct{ next atomic.Uint64 }

// avoidedCost exceeds the cost of every endpoint that isn't avoided.
const avoidedCost = math.MaxInt64 / 2

// cheapest scans all endpoints once, from the current position, and selects the first one with the
// lowest cost. The position moves to the endpoint after it. If the position moved by only one, the
// neighbor of a skipped endpoint would get the skipped one's share too. Costs are never negative,
// so the scan ends at the first 0.
func (r *rotation) cheapest(endpoints, tried []*Endpoint, cost func(*Endpoint) int64) *Endpoint {
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

// roundRobin selects the endpoints in turn, regardless of their load (annotation load-balance:
// round_robin).
type roundRobin struct{ rotation rotation }

// pick implements picker.
func (r *roundRobin) pick(endpoints, tried []*Endpoint) *Endpoint {
	return r.rotation.cheapest(endpoints, tried, func(*Endpoint) int64 { return 0 })
}

// leastConn selects the endpoint with the fewest requests in flight, and rotates among equals
// (https://nginx.org/en/docs/http/ngx_http_upstream_module.html#least_conn). It counts only the
// requests of this replica.
type leastConn struct{ rotation rotation }

// pick implements picker.
func (l *leastConn) pick(endpoints, tried []*Endpoint) *Endpoint {
	return l.rotation.cheapest(endpoints, tried, (*Endpoint).InFlight)
}
