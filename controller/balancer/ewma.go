package balancer

import (
	"slices"
	"time"
)

// ewma draws two endpoints and takes the one that would be done earlier: that with the lower latency, times the requests
// that it has to do (annotation load-balance: ewma). Two are enough to keep away from a slow endpoint, and leave the
// fastest one from being hit by everybody at once (Mitzenmacher, "The Power of Two Choices", 2001).
type ewma struct {
	// draw returns a random number in [0,n).
	draw func(n int) int
}

// leastLatency is added to every latency. It keeps differences that are noise from deciding, and an endpoint that was not
// asked for long, whose latency is all but forgotten, from getting everything until its first answer.
const leastLatency = time.Millisecond

// pick implements picker.
func (p *ewma) pick(endpoints, tried []*Endpoint) *Endpoint {
	healthy := func(e *Endpoint) bool { return !e.Avoided() && !slices.Contains(tried, e) }
	if len(endpoints) > 1 {
		if a, b := p.two(endpoints); healthy(a) && healthy(b) {
			return sooner(a, b)
		}
	}
	// Some are out. Draw among the rest: drawing again in the place of those that are out would favor none either, but may
	// take long.
	rest := filter(endpoints, healthy)
	if len(rest) == 0 {
		rest = filter(endpoints, func(e *Endpoint) bool { return !slices.Contains(tried, e) })
	}
	switch len(rest) {
	case 0:
		return nil
	case 1:
		return rest[0]
	}
	return sooner(p.two(rest))
}

// two draws two different endpoints.
func (p *ewma) two(endpoints []*Endpoint) (a, b *Endpoint) {
	i, j := p.draw(len(endpoints)), p.draw(len(endpoints)-1)
	if j >= i {
		j++
	}
	return endpoints[i], endpoints[j]
}

// sooner compares two endpoints. One that has not answered yet counts as fast as the other: it gets its share, and is not
// flooded for being unknown.
func sooner(a, b *Endpoint) *Endpoint {
	now := time.Now()
	latencyA, knownA := a.latency.at(now)
	latencyB, knownB := b.latency.at(now)
	switch {
	case !knownA:
		latencyA = latencyB
	case !knownB:
		latencyB = latencyA
	}
	costA := float64(latencyA+leastLatency) * float64(a.InFlight()+1)
	costB := float64(latencyB+leastLatency) * float64(b.InFlight()+1)
	if costB < costA {
		return b
	}
	return a
}

func filter(endpoints []*Endpoint, keep func(*Endpoint) bool) []*Endpoint {
	var kept []*Endpoint
	for _, e := range endpoints {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}
