package balancer

import (
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// firstAvoid is how long an endpoint is avoided after one failure. The API server reports a
	// deleted pod in about this time. So a dead endpoint costs one or two requests, and a short
	// failure almost nothing.
	firstAvoid = time.Second
	// longestAvoid is the limit of the doubling. An endpoint on a node without a network stays
	// listed for 40 s or more (https://kubernetes.io/docs/reference/node/node-status/), and is
	// tried about twice in that time.
	longestAvoid = 16 * time.Second
)

// Identity identifies an endpoint of a pool. All fields must be equal, because pod addresses are
// reused within seconds.
type Identity struct {
	Address netip.AddrPort
	// Pod is "namespace/name", or empty if the EndpointSlice refers to no pod.
	Pod string
	// Name is a DNS name to dial instead of the address. It is empty for endpoints in the cluster.
	Name string
}

// Endpoint is the live state of one address in one pool. Its methods are safe for concurrent use.
type Endpoint struct {
	identity Identity
	pool     string

	inFlight atomic.Int64
	requests atomic.Uint64
	failures atomic.Uint64

	streak     atomic.Int64 // failures since the last success
	avoidUntil atomic.Int64 // Unix nanoseconds; 0 if not avoided

	latency latency
}

// Address returns the endpoint's address and port.
func (e *Endpoint) Address() netip.AddrPort { return e.identity.Address }

// HostPort returns what to dial: the address, or the name with the address's port.
func (e *Endpoint) HostPort() string {
	if e.identity.Name != "" {
		return e.identity.Name + ":" + strconv.Itoa(int(e.identity.Address.Port()))
	}
	return e.identity.Address.String()
}

// Named reports whether the endpoint is a DNS name outside the cluster.
func (e *Endpoint) Named() bool { return e.identity.Name != "" }

// Pod returns "namespace/name" of the endpoint's pod, or an empty string.
func (e *Endpoint) Pod() string { return e.identity.Pod }

// Pool returns the key of the endpoint's pool.
func (e *Endpoint) Pool() string { return e.pool }

// InFlight returns the number of requests in flight at the endpoint.
func (e *Endpoint) InFlight() int64 { return e.inFlight.Load() }

// Requests returns the number of requests that were sent to the endpoint, including retries.
func (e *Endpoint) Requests() uint64 { return e.requests.Load() }

// Failures returns the number of failed tries that the endpoint caused.
func (e *Endpoint) Failures() uint64 { return e.failures.Load() }

// Avoided reports whether the endpoint failed recently, so that the pool prefers other endpoints.
func (e *Endpoint) Avoided() bool {
	until := e.avoidUntil.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// Latency returns the time until the endpoint starts its response: a moving average of the last
// seconds. It falls toward 0 while the endpoint gets no requests. 0 means unknown.
func (e *Endpoint) Latency() time.Duration {
	latency, _ := e.latency.at(time.Now())
	return latency
}

// Observe records the time until the endpoint started a response, or timed out.
func (e *Endpoint) Observe(took time.Duration) { e.latency.observe(took, time.Now()) }

// Begin counts a request that is about to be sent. Each Begin needs one End.
func (e *Endpoint) Begin() {
	e.inFlight.Add(1)
	e.requests.Add(1)
}

// End ends a request that Begin counted as in flight.
func (e *Endpoint) End() { e.inFlight.Add(-1) }

// Failed marks the endpoint as avoided: for 1 s at first, twice as long after each failure in a
// row, and at most 16 s. Don't call it for a client that disconnected.
func (e *Endpoint) Failed() {
	e.failures.Add(1)
	avoid := longestAvoid
	if n := e.streak.Add(1) - 1; n < 4 {
		avoid = firstAvoid << n
	}
	e.avoidUntil.Store(time.Now().Add(avoid).UnixNano())
}

// TimedOut counts a failure. It doesn't avoid the endpoint, because other requests might be fast.
func (e *Endpoint) TimedOut() { e.failures.Add(1) }

// Succeeded ends the avoidance: the endpoint responded, with any status.
func (e *Endpoint) Succeeded() {
	if e.avoidUntil.Load() != 0 {
		e.streak.Store(0)
		e.avoidUntil.Store(0)
	}
}
