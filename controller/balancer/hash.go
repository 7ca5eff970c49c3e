package balancer

import "slices"

// pickByHash gives every endpoint a score for the key and takes the highest ("rendezvous hashing", Thaler and
// Ravishankar 1998). The scores of one endpoint have nothing to do with those of another, and this is what makes it
// good: an endpoint that goes away gives its keys to all others evenly, one that comes takes an even share from each, and
// no other key moves. A key whose endpoint is avoided has a second choice that is its own, and comes back later.
//
// It looks at all endpoints for every request. In return it needs no memory and nothing to rebuild when pods come and go,
// and at a nanosecond for each, even thousands cost less than proxying the request does.
func (p *Pool) pickByHash(key string, tried []*Endpoint) *Endpoint {
	p.makeSeeds.Do(func() {
		p.seeds = make([]uint64, len(p.endpoints))
		for i, e := range p.endpoints {
			p.seeds[i] = seed(e)
		}
	})
	hashed := hash(key)
	var best, avoided *Endpoint
	var bestScore, avoidedScore uint64
	for i, seed := range p.seeds {
		score := mix(hashed ^ seed)
		if best != nil && score <= bestScore {
			continue
		}
		switch e := p.endpoints[i]; {
		case slices.Contains(tried, e):
		case !e.Avoided():
			best, bestScore = e, score
		case avoided == nil || score > avoidedScore:
			avoided, avoidedScore = e, score
		}
	}
	if best == nil {
		return avoided
	}
	return best
}

// seed is what makes an endpoint's scores its own. It is made of the pod's name where there is one: "web-0" of a
// StatefulSet keeps its keys when it is started again at another address.
func seed(e *Endpoint) uint64 {
	if e.identity.Pod != "" {
		return mix(hash(e.identity.Pod))
	}
	return mix(hash(e.identity.Address.String()))
}

// hash is FNV-1a (RFC 9923): the same in every process, because all replicas of the controller must agree.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit of x over all bits of the result; it is the last step of MurmurHash3.
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
