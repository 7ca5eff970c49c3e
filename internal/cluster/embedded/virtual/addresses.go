package virtual

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// addresses says which pod has which address. An address that is free again is given away last, for connections to the pod
// that had it may still be open.
type addresses struct {
	pool netip.Prefix

	mu    sync.Mutex
	next  netip.Addr
	byUID map[types.UID]netip.Addr
	taken map[netip.Addr]types.UID
}

func newAddresses(pool netip.Prefix) *addresses {
	return &addresses{
		pool: pool, next: pool.Masked().Addr().Next(), // the first names the network
		byUID: map[types.UID]netip.Addr{}, taken: map[netip.Addr]types.UID{},
	}
}

// of returns the address of a pod, a new one if it has none yet. The error says that there are no more.
func (a *addresses) of(pod types.UID) (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if address, has := a.byUID[pod]; has {
		return address, nil
	}
	first := a.next
	for {
		address := a.next
		if a.next = address.Next(); !a.pool.Contains(a.next.Next()) { // the last one is for broadcasts
			a.next = a.pool.Masked().Addr().Next()
		}
		if _, used := a.taken[address]; !used {
			a.byUID[pod], a.taken[address] = address, pod
			return address, nil
		}
		if a.next == first {
			return netip.Addr{}, fmt.Errorf("all addresses of %s are in use", a.pool)
		}
	}
}

// keep notes an address that a pod had before this process ran. It stays with the pod that has it already, if any.
func (a *addresses) keep(pod types.UID, address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, has := a.byUID[pod]
	_, used := a.taken[address]
	if has || used || !a.pool.Contains(address) {
		return
	}
	a.byUID[pod], a.taken[address] = address, pod
}

// free takes the address from a pod that is gone.
func (a *addresses) free(pod types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.taken, a.byUID[pod])
	delete(a.byUID, pod)
}

// used tells whether a pod has the address.
func (a *addresses) used(address netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, used := a.taken[address.Unmap()]
	return used
}
