package upstream

import (
	"slices"
	"sync/atomic"
)

// Picker chooses one of a pool's endpoints. It lives as long as the pool does and is called by many goroutines at once.
type Picker interface {
	// Pick returns an endpoint that is not in tried, or nil when none is left. It prefers those that are not Avoided, and
	// takes one that is rather than none: a request that may fail is better than one that must.
	Pick(endpoints, tried []*Endpoint) *Endpoint
}

// RoundRobin gives every endpoint its turn. Its place in the round survives a change of the pool, so a pool that changes
// often does not begin with the same endpoint again and again.
type RoundRobin struct {
	turn atomic.Uint64
}

// NewRoundRobin gives a round robin picker for one pool.
func NewRoundRobin() Picker { return &RoundRobin{} }

// Pick implements Picker. It counts who may be picked before it picks: stepping over an endpoint that is avoided would
// give its whole share to its neighbor.
func (r *RoundRobin) Pick(endpoints, tried []*Endpoint) *Endpoint {
	untried := func(e *Endpoint) bool { return !slices.Contains(tried, e) }
	healthy := func(e *Endpoint) bool { return !e.Avoided() && untried(e) }
	turn := r.turn.Add(1) - 1
	if e := nth(endpoints, turn, healthy); e != nil {
		return e
	}
	return nth(endpoints, turn, untried)
}

// nth returns the endpoint whose turn it is among those that are eligible, or nil.
func nth(endpoints []*Endpoint, turn uint64, eligible func(*Endpoint) bool) *Endpoint {
	count := uint64(0)
	for _, e := range endpoints {
		if eligible(e) {
			count++
		}
	}
	if count == 0 {
		return nil
	}
	var last *Endpoint
	left := turn % count
	for _, e := range endpoints {
		if !eligible(e) {
			continue
		}
		if last = e; left == 0 {
			break
		}
		left--
	}
	return last // not the one counted to only when an endpoint failed between the two passes
}
