package balancer

import (
	"math"
	"slices"
	"sync"
	"time"
)

// ewma selects two random endpoints and uses the one with the lower cost: latency times requests in
// flight (annotation load-balance: ewma). Two candidates are enough to avoid a slow endpoint, and
// don't send all requests to the fastest one (Mitzenmacher, "The Power of Two Choices", 2001).
type ewma struct {
	// draw returns a random number in [0,n).
	draw func(n int) int
}

// leastLatency is added to each latency. Without it, noise would decide between fast endpoints. An
// idle endpoint, whose latency has faded, would get all requests until its first response.
const leastLatency = time.Millisecond

// pick implements picker.
func (p *ewma) pick(endpoints, tried []*Endpoint) *Endpoint {
	healthy := func(e *Endpoint) bool { return !e.Avoided() && !slices.Contains(tried, e) }
	if len(endpoints) > 1 {
		if a, b := p.two(endpoints); healthy(a) && healthy(b) {
			return sooner(a, b)
		}
	}
	// Some endpoints are excluded. Select from a list of the other endpoints. To draw again until
	// both are allowed would be as fair, but could take long.
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

// two returns two different random endpoints.
func (p *ewma) two(endpoints []*Endpoint) (a, b *Endpoint) {
	i, j := p.draw(len(endpoints)), p.draw(len(endpoints)-1)
	if j >= i {
		j++
	}
	return endpoints[i], endpoints[j]
}

// sooner returns the endpoint with the lower cost. If one of them has no measured latency, it
// counts as equally fast, so it gets its share of the requests, but not all.
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

// latencyDecay is the time in which a measurement loses about two thirds of its weight: 10 s, as in
// ingress-nginx.
const latencyDecay = 10 * time.Second

// latency is a peak-sensitive moving average of response times: a higher value counts at once, a
// lower one gradually. Values are weighted by time and not by the number of responses, so the
// request rate doesn't affect the average.
type latency struct {
	mu      sync.Mutex
	average time.Duration
	last    time.Time // zero before the first measurement
}

// observe records a response time.
func (l *latency) observe(took time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() || took >= l.average {
		l.average, l.last = took, now
		return
	}
	weight := fade(now.Sub(l.last))
	l.average = took + time.Duration(weight*float64(l.average-took))
	l.last = now
}

// at returns the expected response time, and whether any was measured. Without requests, the
// average fades to 0, so that a slow endpoint gets another chance.
func (l *latency) at(now time.Time) (expected time.Duration, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		return 0, false
	}
	return time.Duration(fade(now.Sub(l.last)) * float64(l.average)), true
}

// fade returns the weight, from 1 to 0, that a measurement still has after a time.
func fade(elapsed time.Duration) float64 {
	return math.Exp(-float64(max(elapsed, 0)) / float64(latencyDecay))
}
