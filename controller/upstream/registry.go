package upstream

import (
	"cmp"
	"slices"
	"sync"
)

// Registry holds the live state of all pools of the current table.
type Registry struct {
	draw func(n int) int

	mu    sync.Mutex
	pools map[string]*livePool
}

// livePool is what outlives a swap: the endpoints by target, and where the pickers stand.
type livePool struct {
	endpoints map[Target]*Endpoint
	pickers   *pickers
}

// NewRegistry gives an empty registry. Its pools draw random numbers in [0,n) with draw; nil means math/rand/v2.
func NewRegistry(draw func(n int) int) *Registry {
	return &Registry{draw: draw, pools: map[string]*livePool{}}
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
			live = &livePool{pickers: newPickers(r.draw)}
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
	live := &livePool{endpoints: make(map[Target]*Endpoint, len(targets)), pickers: l.pickers}
	list := make([]*Endpoint, 0, len(targets))
	for _, target := range targets {
		if live.endpoints[target] != nil {
			continue
		}
		endpoint := l.endpoints[target]
		if endpoint == nil {
			endpoint = &Endpoint{target: target, pool: key}
		}
		live.endpoints[target] = endpoint
		list = append(list, endpoint)
	}
	return live, &Pool{endpoints: list, byTarget: live.endpoints, pickers: live.pickers}
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
