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

// NewRegistry gives an empty registry. Its pools draw random numbers in [0,n) with draw; nil means math/rand/v2.
func NewRegistry(draw func(n int) int) *Registry { return &Registry{draw: draw} }

// Update brings the registry to the given pools and returns a Pool for each of them, with its endpoints in the order
// given. The caller must not change the map. Endpoints that stay keep their state, those that are new start clean, and those
// that are in no pool any more are returned as gone; requests that are still in flight on them end as they like.
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
			pools[key] = old // most pools do not change with a table
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

// is says whether the pool has exactly these identities in this order.
func (p *Pool) is(identities []Identity) bool {
	return slices.EqualFunc(p.endpoints, identities, func(e *Endpoint, one Identity) bool { return e.identity == one })
}

// with gives a pool with these identities that goes on where p stands.
func (p *Pool) with(key string, identities []Identity) *Pool {
	next := &Pool{endpoints: make([]*Endpoint, 0, len(identities)), byIdentity: make(map[Identity]*Endpoint, len(identities)), pickers: p.pickers}
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

// Endpoints lists all endpoints of the current table, sorted by pool and address.
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
