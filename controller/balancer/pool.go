package balancer

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// Pool is one pool as it is in one table, or in several that follow each other. It never changes; the endpoints in it, and
// the place in the round, are shared with the pools of the same key that come before and after it.
type Pool struct {
	endpoints  []*Endpoint
	byIdentity map[Identity]*Endpoint
	pickers    *pickers

	// seeds are those of the endpoints, side by side, because hashing reads all of them for every request. They are made
	// when the first one needs them.
	seeds     []uint64
	makeSeeds sync.Once
}

// Algorithm is a way to choose among the endpoints of a pool.
type Algorithm int

const (
	// RoundRobin gives every endpoint its turn.
	RoundRobin Algorithm = iota
	// LeastConn takes the endpoint with the fewest requests in flight.
	LeastConn
	// EWMA takes the endpoint that answered faster lately, of two drawn at random.
	EWMA
)

// Choice says how the endpoint for one request is chosen. The zero value takes the next one in turn.
type Choice struct {
	// By is the algorithm. Two routes may lead to one pool with different ones: each has its own place in the round, and both
	// see the same requests in flight.
	By Algorithm
	// HashKey, when it is not empty, chooses in the place of By: the same key meets the same endpoint, in every replica of
	// the controller.
	HashKey string
	// Prefer is an endpoint of this pool that is taken unless it is Avoided; nil: none.
	Prefer *Endpoint
	// Insist takes Prefer even if it is Avoided.
	Insist bool
	// Tried are the endpoints that failed this very request. They are never taken.
	Tried []*Endpoint
}

// Endpoints lists the endpoints of the pool; the caller must not change the slice.
func (p *Pool) Endpoints() []*Endpoint { return p.endpoints }

// Find returns the live state of an address, or nil if it is not in the pool.
func (p *Pool) Find(identity Identity) *Endpoint { return p.byIdentity[identity] }

// Pick chooses an endpoint, or nil when none is left.
func (p *Pool) Pick(c Choice) *Endpoint {
	preferred := c.Prefer
	if preferred != nil && slices.Contains(c.Tried, preferred) {
		preferred = nil
	}
	if preferred != nil && (c.Insist || !preferred.Avoided()) {
		return preferred
	}
	var picked *Endpoint
	if c.HashKey != "" {
		picked = p.pickByHash(c.HashKey, c.Tried)
	} else {
		picked = p.pickers.of(c.By).pick(p.endpoints, c.Tried)
	}
	if preferred != nil && (picked == nil || picked.Avoided()) {
		return preferred // the others are no better
	}
	return picked
}

// picker is an algorithm with what it remembers from one request to the next. It is called by many goroutines at once.
type picker interface {
	// pick returns an endpoint that is not in tried, or nil when none is left.
	pick(endpoints, tried []*Endpoint) *Endpoint
}

// pickers are those of one pool. They live as long as the pool does, so a table that is swapped often does not send one
// request after the other to the first endpoint.
type pickers struct {
	roundRobin roundRobin
	leastConn  leastConn
	ewma       ewma
}

func newPickers(draw func(n int) int) *pickers {
	if draw == nil {
		draw = rand.IntN
	}
	return &pickers{ewma: ewma{draw: draw}}
}

func (p *pickers) of(a Algorithm) picker {
	switch a {
	case LeastConn:
		return &p.leastConn
	case EWMA:
		return &p.ewma
	default:
		return &p.roundRobin
	}
}
