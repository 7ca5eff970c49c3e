package balancer

import (
	"cmp"
	"slices"
	"sync"
)

// Registry holds the live state of all pools of the current table.
type Registry struct {
	draw func(n int) int

	mu    sync.Mutex
	pools map[string]*Pool
}

// NewRegistry returns an empty registry. Its pools use draw for random numbers in [0,n); if draw is
// nil, they use math/rand/v2.
func NewRegistry(draw func(n int) int) *Registry { return &Registry{draw: draw} }

// Update replaces the pools of the registry, and returns a Pool for each key, with its endpoints in
// the given order. The caller must not change the map. Endpoints that are still in a pool keep
// their state, new ones start with an empty state, and removed ones are returned as gone. Requests
// in flight on removed endpoints continue.
func (r *Registry) Update(want map[string][]Identity) (pools map[string]*Pool, gone []*Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pools = make(map[string]*Pool, len(want))
	for key, identities := range want {
		old := r.pools[key]
		switch {
		case old == nil:
			pools[key] = (&Pool{pickers: newPickers(r.draw)}).with(key, identities)
		case old.is(identities):
			pools[key] = old // most pools don't change with a table
		default:
			pools[key] = old.with(key, identities)
		}
	}
	for key, old := range r.pools {
		kept := pools[key]
		if kept == old {
			continue
		}
		for _, endpoint := range old.endpoints {
			if kept == nil || kept.byIdentity[endpoint.identity] == nil {
				gone = append(gone, endpoint)
			}
		}
	}
	r.pools = pools
	return pools, gone
}

// is reports whether the pool has exactly these identities in this order.
func (p *Pool) is(identities []Identity) bool {
	return slices.EqualFunc(p.endpoints, identities, func(e *Endpoint, one Identity) bool { return e.identity == one })
}

// with returns a pool with these identities that continues the rotation of p.
func (p *Pool) with(key string, identities []Identity) *Pool {
	next := &Pool{endpoints: make([]*Endpoint, 0, len(identities)), byIdentity: make(map[Identity]*Endpoint, len(identities)),
		pickers: p.pickers}
	for _, identity := range identities {
		if next.byIdentity[identity] != nil {
			continue
		}
		endpoint := p.byIdentity[identity]
		if endpoint == nil {
			endpoint = &Endpoint{identity: identity, pool: key}
		}
		next.byIdentity[identity] = endpoint
		next.endpoints = append(next.endpoints, endpoint)
	}
	return next
}

// Endpoints returns all endpoints of the current table, sorted by pool and address.
func (r *Registry) Endpoints() []*Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*Endpoint
	for _, pool := range r.pools {
		all = append(all, pool.endpoints...)
	}
	slices.SortFunc(all, func(a, b *Endpoint) int {
		return cmp.Or(cmp.Compare(a.pool, b.pool), a.identity.Address.Compare(b.identity.Address), cmp.Compare(a.identity.Pod, b.identity.Pod))
	})
	return all
}
