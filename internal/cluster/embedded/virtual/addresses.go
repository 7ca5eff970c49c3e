package virtual

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// addresses allocates pod addresses. It reuses released addresses last, because connections to the
// previous pod might still be open.
type addresses struct {
	pool netip.Prefix

	mu    sync.Mutex
	next  netip.Addr
	byUID map[types.UID]netip.Addr
	used  map[netip.Addr]types.UID
}

func newAddresses(pool netip.Prefix) *addresses {
	return &addresses{
		pool: pool, next: pool.Masked().Addr().Next(), // the first is the network address
		byUID: map[types.UID]netip.Addr{}, used: map[netip.Addr]types.UID{},
	}
}

// allocate returns the address of a pod. It fails if all addresses are in use.
func (a *addresses) allocate(pod types.UID) (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if address, has := a.byUID[pod]; has {
		return address, nil
	}
	first := a.next
	for {
		address := a.next
		if a.next = address.Next(); !a.pool.Contains(a.next.Next()) { // the last is the broadcast address
			a.next = a.pool.Masked().Addr().Next()
		}
		if _, used := a.used[address]; !used {
			a.byUID[pod], a.used[address] = address, pod
			return address, nil
		}
		if a.next == first {
			return netip.Addr{}, fmt.Errorf("all addresses of %s are in use", a.pool)
		}
	}
}

// restore records the address of a pod from before a restart, unless another pod has it.
func (a *addresses) restore(pod types.UID, address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, has := a.byUID[pod]
	_, used := a.used[address]
	if has || used || !a.pool.Contains(address) {
		return
	}
	a.byUID[pod], a.used[address] = address, pod
}

// release frees the address of a deleted pod.
func (a *addresses) release(pod types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, a.byUID[pod])
	delete(a.byUID, pod)
}

// inUse reports whether a pod has the address.
func (a *addresses) inUse(address netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, used := a.used[address.Unmap()]
	return used
}
