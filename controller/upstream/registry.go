package upstream

import (
	"cmp"
	"slices"
	"sync"
)

// Registry holds the live state of all pools of the current table.
type Registry struct {
	newPicker func() Picker

	mu    sync.Mutex
	pools map[string]*livePool
}

// livePool is what outlives a swap: the endpoints by target, and where the picker stands.
type livePool struct {
	endpoints map[Target]*Endpoint
	picker    Picker
}

// Pool is one pool as one table has it. It never changes; the endpoints in it are shared with the pools of other tables.
type Pool struct {
	endpoints []*Endpoint
	picker    Picker
}

// NewRegistry gives an empty registry whose pools pick with what newPicker makes, one picker a pool.
func NewRegistry(newPicker func() Picker) *Registry {
	return &Registry{newPicker: newPicker, pools: map[string]*livePool{}}
}

// Update brings the registry to the given pools and returns a Pool for each of them, with its endpoints in the order
// given. Endpoints that stay keep their state, those that are new start clean, and those that are in no pool any more are
// returned as gone; requests that are still in flight on them end as they like.
func (r *Registry) Update(want map[string][]Target) (pools map[string]*Pool, gone []*Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pools = make(map[string]*Pool, len(want))
	next := make(map[string]*livePool, len(want))
	for key, targets := range want {
		live := r.pools[key]
		if live == nil {
			live = &livePool{picker: r.newPicker()}
		}
		next[key], pools[key] = live.with(key, targets)
	}
	for key, live := range r.pools {
		for target, endpoint := range live.endpoints {
			if kept := next[key]; kept == nil || kept.endpoints[target] == nil {
				gone = append(gone, endpoint)
			}
		}
	}
	r.pools = next
	return pools, gone
}

// with gives the pool with exactly the given targets.
func (l *livePool) with(key string, targets []Target) (*livePool, *Pool) {
	live := &livePool{endpoints: make(map[Target]*Endpoint, len(targets)), picker: l.picker}
	pool := &Pool{endpoints: make([]*Endpoint, 0, len(targets)), picker: l.picker}
	for _, target := range targets {
		if live.endpoints[target] != nil {
			continue
		}
		endpoint := l.endpoints[target]
		if endpoint == nil {
			endpoint = &Endpoint{target: target, pool: key}
		}
		live.endpoints[target] = endpoint
		pool.endpoints = append(pool.endpoints, endpoint)
	}
	return live, pool
}

// Endpoints lists all endpoints of the current table, sorted by pool and address.
func (r *Registry) Endpoints() []*Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*Endpoint
	for _, live := range r.pools {
		for _, endpoint := range live.endpoints {
			all = append(all, endpoint)
		}
	}
	slices.SortFunc(all, func(a, b *Endpoint) int {
		return cmp.Or(cmp.Compare(a.pool, b.pool), a.target.Address.Compare(b.target.Address), cmp.Compare(a.target.Pod, b.target.Pod))
	})
	return all
}

// Endpoints lists the endpoints of the pool; the caller must not change the slice.
func (p *Pool) Endpoints() []*Endpoint { return p.endpoints }

// Pick chooses an endpoint that is not among those already tried for the same request, or nil when none is left.
func (p *Pool) Pick(tried []*Endpoint) *Endpoint { return p.picker.Pick(p.endpoints, tried) }
