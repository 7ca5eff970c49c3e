package balancer

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// Pool is an immutable pool of one table, or of several consecutive tables. Its endpoints and its
// position in the rotation are shared with earlier and later pools of the same key.
type Pool struct {
	endpoints  []*Endpoint
	byIdentity map[Identity]*Endpoint
	pickers    *pickers

	// seeds are the hash seeds of the endpoints, in one slice because each hashed request reads all
	// of them. The first hashed request computes them.
	seeds     []uint64
	makeSeeds sync.Once
}

// Algorithm selects among the endpoints of a pool.
type Algorithm int

const (
	// RoundRobin selects the endpoints in turn.
	RoundRobin Algorithm = iota
	// LeastConn selects the endpoint with the fewest requests in flight.
	LeastConn
	// EWMA selects the faster one of two random endpoints.
	EWMA
)

// Choice says how to select the endpoint for one request. The zero value selects the next endpoint
// in turn.
type Choice struct {
	// By is the algorithm. Two routes to one pool can use different algorithms: each has its own
	// position in the rotation, and they share the counts of requests in flight.
	By Algorithm
	// HashKey, if not empty, replaces By: the same key selects the same endpoint, in each replica
	// of the controller.
	HashKey string
	// Prefer is an endpoint of this pool to use unless it is Avoided. It can be nil.
	Prefer *Endpoint
	// Insist uses Prefer even if it is Avoided.
	Insist bool
	// Tried are the endpoints that already failed for this request. They are never selected.
	Tried []*Endpoint
}

// Endpoints returns the endpoints of the pool; the caller must not change the slice.
func (p *Pool) Endpoints() []*Endpoint { return p.endpoints }

// Find returns the endpoint with the identity, or nil if it isn't in the pool.
func (p *Pool) Find(identity Identity) *Endpoint { return p.byIdentity[identity] }

// Pick selects an endpoint. It returns nil if the request has tried all endpoints.
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
		return preferred // the other endpoints are avoided too, or were tried
	}
	return picked
}

// picker is an algorithm with its state. It is safe for concurrent use.
type picker interface {
	// pick returns an endpoint that is not in tried, or nil if there is none.
	pick(endpoints, tried []*Endpoint) *Endpoint
}

// pickers are the algorithms of one pool. They outlive tables. Otherwise, frequent changes would
// send request after request to the first endpoint.
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
