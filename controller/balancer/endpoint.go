package balancer

import (
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// firstAvoid is how long an endpoint is left alone after one failure. It is about the time in which the API server
	// tells of a pod that went away, so a dead endpoint costs a request or two and a hiccup costs next to nothing.
	firstAvoid = time.Second
	// longestAvoid bounds the doubling: an endpoint on a node that lost its network stays listed for 40 s and more
	// (https://kubernetes.io/docs/reference/node/node-status/), and is tried about twice in that time.
	longestAvoid = 16 * time.Second
)

// Identity says which pod address a pool sends to. Two are the same endpoint only if they are equal: pod addresses
// are reused within seconds.
type Identity struct {
	Address netip.AddrPort
	// Pod is "namespace/name", or empty when the EndpointSlice names no pod.
	Pod string
	// Name is a DNS name to dial in the place of the address; empty: there is none.
	Name string
}

// Endpoint is the live state of one address in one pool. Its methods may be called from any goroutine.
type Endpoint struct {
	identity Identity
	pool     string

	inFlight atomic.Int64
	requests atomic.Uint64
	failures atomic.Uint64

	streak     atomic.Int64 // failures since the last success
	avoidUntil atomic.Int64 // Unix nanoseconds; 0: not avoided

	latency latency
}

// Address is where the endpoint listens.
func (e *Endpoint) Address() netip.AddrPort { return e.identity.Address }

// HostPort is what to dial: the address, or the name with the address's port.
func (e *Endpoint) HostPort() string {
	if e.identity.Name != "" {
		return e.identity.Name + ":" + strconv.Itoa(int(e.identity.Address.Port()))
	}
	return e.identity.Address.String()
}

// Named reports whether the endpoint is a name outside the cluster.
func (e *Endpoint) Named() bool { return e.identity.Name != "" }

// Pod is "namespace/name" of the pod behind the address, or empty.
func (e *Endpoint) Pod() string { return e.identity.Pod }

// Pool is the key of the pool that the endpoint belongs to.
func (e *Endpoint) Pool() string { return e.pool }

// InFlight is the number of requests that the endpoint works on right now.
func (e *Endpoint) InFlight() int64 { return e.inFlight.Load() }

// Requests is the number of requests that were sent to the endpoint, tries included.
func (e *Endpoint) Requests() uint64 { return e.requests.Load() }

// Failures is the number of tries that failed through the endpoint's own fault.
func (e *Endpoint) Failures() uint64 { return e.failures.Load() }

// Avoided reports whether the endpoint failed so recently that another one is the better choice.
func (e *Endpoint) Avoided() bool {
	until := e.avoidUntil.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// Latency is how long the endpoint takes to begin its response: an average of the last seconds, which fades while it is not
// asked; 0: nothing is known.
func (e *Endpoint) Latency() time.Duration {
	latency, _ := e.latency.at(time.Now())
	return latency
}

// Observe takes in how long the endpoint took to begin a response, or how long it was given and did not.
func (e *Endpoint) Observe(took time.Duration) { e.latency.observe(took, time.Now()) }

// Begin counts a request that is about to be sent. Every Begin needs one End.
func (e *Endpoint) Begin() {
	e.inFlight.Add(1)
	e.requests.Add(1)
}

// End takes back what Begin counted as in flight.
func (e *Endpoint) End() { e.inFlight.Add(-1) }

// Failed marks the endpoint as one to avoid: for a second at first, twice as long for each failure in a row, 16 s at most.
// A client that went away is no reason to call it.
func (e *Endpoint) Failed() {
	e.failures.Add(1)
	avoid := longestAvoid
	if n := e.streak.Add(1) - 1; n < 4 {
		avoid = firstAvoid << n
	}
	e.avoidUntil.Store(time.Now().Add(avoid).UnixNano())
}

// TimedOut counts a failure without a mark: an endpoint that is slow with one request may be quick with all others.
func (e *Endpoint) TimedOut() { e.failures.Add(1) }

// Succeeded takes the mark away: the endpoint answered, whatever the status.
func (e *Endpoint) Succeeded() {
	if e.avoidUntil.Load() != 0 {
		e.streak.Store(0)
		e.avoidUntil.Store(0)
	}
}
