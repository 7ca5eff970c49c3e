package kubelet

import (
	"fmt"
	"net/netip"
	"sync"
)

// addressPool gives out the addresses of pods. An address that was given back is reused as late as possible: clients that
// still hold it should find nobody there, and not another pod.
type addressPool struct {
	mu    sync.Mutex
	first netip.Addr // the first that may be given out
	last  netip.Addr
	next  netip.Addr
	used  map[netip.Addr]bool
}

func newAddressPool(r netip.Prefix) (*addressPool, error) {
	if !r.IsValid() || !r.Addr().Is4() || r.Bits() != 24 {
		return nil, fmt.Errorf("pod range %s is not an IPv4 /24", r)
	}
	b := r.Masked().Addr().As4()
	at := func(host byte) netip.Addr { return netip.AddrFrom4([4]byte{b[0], b[1], b[2], host}) }
	return &addressPool{first: at(2), last: at(254), next: at(2), used: map[netip.Addr]bool{}}, nil
}

func (p *addressPool) take() (netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 253 { // .2 to .254
		a := p.next
		if p.next = a.Next(); a == p.last {
			p.next = p.first
		}
		if !p.used[a] {
			p.used[a] = true
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no address is left between %s and %s", p.first, p.last)
}

func (p *addressPool) give(a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, a)
}
