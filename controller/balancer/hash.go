package balancer

import "slices"

// pickByHash computes a score of the key for each endpoint and selects the highest (rendezvous
// hashing, Thaler and Ravishankar 1998). The scores of the endpoints are independent. So a removed
// endpoint gives its keys evenly to all others, a new one takes an even share from each, and no
// other key moves. A key whose endpoint is avoided uses the endpoint with the second highest score
// until the avoidance ends.
//
// Each request scores all endpoints, at about a nanosecond per endpoint. Even thousands of
// endpoints cost less than proxying the request. In return, there is no hash ring to store, or to
// rebuild when pods change.
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

// seed returns the endpoint's hash seed. It derives from the pod's name, if there is one: "web-0"
// of a StatefulSet keeps its keys when it restarts with another address.
func seed(e *Endpoint) uint64 {
	if e.identity.Pod != "" {
		return mix(hash(e.identity.Pod))
	}
	return mix(hash(e.identity.Address.String()))
}

// hash is FNV-1a (RFC 9923): all replicas of the controller compute the same value.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads each bit of x over all bits of the result; it is the last step of MurmurHash3.
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
