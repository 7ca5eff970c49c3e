package balancer

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// LimiterCapacity is the maximum number of clients in a Limiter, for all routes together. They take
// at most about 16 MiB. ingress-nginx reserves 5 MiB per limit of each Ingress, for about 80,000
// clients.
const LimiterCapacity = 1 << 16

// Limits are the limits of one client on one route; 0 means no limit.
type Limits struct {
	// PerSecond and PerMinute are rates of requests; both apply.
	PerSecond, PerMinute int
	// Burst is a multiple of the rate that a client can exceed at once. With 5 requests per second
	// and a Burst of 5, an idle client can send 26 requests at once, and then 5 per second.
	Burst int
	// Connections is the maximum number of concurrent requests, including upgraded connections.
	Connections int
}

// Client identifies a client of a route. Route can be any text that stays the same across tables.
type Client struct {
	Route   string
	Address netip.Addr
}

// Verdict is the result of applying Limits to a request.
type Verdict int

const (
	// Admitted allows the request. If Connections is set, the request counts as one until Leave.
	Admitted Verdict = iota
	// TooFast means that the request exceeds PerSecond or PerMinute. The request isn't counted.
	TooFast
	// TooMany means that the request exceeds Connections. The request isn't counted.
	TooMany
)

// Limiter counts requests by client. The number of clients is bounded, so an attacker with many
// addresses can't exhaust memory: the client that was idle longest is evicted. Clients with
// requests in flight are not evicted, but the number of connections bounds their number. A Limiter
// is safe for concurrent use.
type Limiter struct {
	capacity int

	mu      sync.Mutex
	clients map[Client]*tally
	// quiet lists the clients without requests in flight, the most recent first.
	quiet list.List
}

// tally is the state of one client.
type tally struct {
	client Client
	// second and minute are the buckets as they were at the time last.
	second, minute bucket
	last           time.Time
	inFlight       int
	// place is the client's element in Limiter.quiet. It is nil during requests.
	place *list.Element
}

// NewLimiter returns a Limiter for the given number of clients, at least one.
func NewLimiter(capacity int) *Limiter {
	return &Limiter{capacity: max(capacity, 1), clients: map[Client]*tally{}}
}

// Admit counts a request at the time now if the limits allow it. Otherwise it returns how long the
// client must wait for the next request; for TooMany, that time is unknown, and Admit returns 0. If
// Connections is set, call Leave once for each admitted request.
//
// The rates are leaky buckets, as in nginx's limit_req with nodelay
// (https://nginx.org/en/docs/http/ngx_http_limit_req_module.html); connections are limited as in
// limit_conn. IPv6 clients count by their /64, because that is what one customer gets (RFC 6177).
func (l *Limiter) Admit(c Client, limits Limits, now time.Time) (Verdict, time.Duration) {
	c.Address = network(c.Address)
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tally(c, now)
	second, wait := t.second.add(limits.PerSecond, limits.Burst, now.Sub(t.last), time.Second)
	minute, waitMinute := t.minute.add(limits.PerMinute, limits.Burst, now.Sub(t.last), time.Minute)
	if wait = max(wait, waitMinute); wait > 0 {
		return TooFast, wait
	}
	if limits.Connections > 0 {
		if t.inFlight >= limits.Connections {
			return TooMany, 0
		}
		l.enter(t)
	}
	t.second, t.minute, t.last = second, minute, now
	return Admitted, 0
}

// Leave ends one concurrent request.
func (l *Limiter) Leave(c Client) {
	c.Address = network(c.Address)
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.clients[c]
	if t == nil || t.inFlight == 0 {
		return
	}
	if t.inFlight--; t.inFlight == 0 {
		t.place = l.quiet.PushFront(t)
		l.forget()
	}
}

// Len returns the number of stored clients.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.clients)
}

// tally returns the state of a client, and moves it to the front of the idle clients.
func (l *Limiter) tally(c Client, now time.Time) *tally {
	t := l.clients[c]
	switch {
	case t == nil:
		t = &tally{client: c, second: empty, minute: empty, last: now}
		l.clients[c] = t
		t.place = l.quiet.PushFront(t)
		l.forget()
	case t.place != nil:
		l.quiet.MoveToFront(t.place)
	}
	return t
}

// enter counts a request in flight. Its client can't be evicted until Leave.
func (l *Limiter) enter(t *tally) {
	t.inFlight++
	if t.place != nil {
		l.quiet.Remove(t.place)
		t.place = nil
	}
}

// forget evicts the client that was idle longest.
func (l *Limiter) forget() {
	for l.quiet.Len() > l.capacity {
		oldest := l.quiet.Back()
		delete(l.clients, l.quiet.Remove(oldest).(*tally).client)
	}
}

// bucket is the number of requests by which a client exceeds its rate (a leaky bucket).
type bucket float64

// empty is the bucket of a new client.
const empty bucket = -1

// add drains the bucket for the elapsed time at rate requests per unit, and adds one request. If
// the bucket then exceeds burst times the rate, add returns the time until a request would fit.
// Otherwise, it returns 0.
func (b bucket) add(rate, burst int, elapsed, unit time.Duration) (bucket, time.Duration) {
	if rate <= 0 {
		return empty, 0
	}
	leaked := float64(rate) * float64(max(elapsed, 0)) / float64(unit)
	next := max(float64(b)-leaked+1, 0)
	if over := next - float64(rate)*float64(burst); over > 0 {
		return b, time.Duration(over / float64(rate) * float64(unit))
	}
	return bucket(next), 0
}

// network returns the prefix that identifies a client: an IPv4 address, or an IPv6 /64.
func network(a netip.Addr) netip.Addr {
	const ipv6Customer = 64
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	prefix, _ := a.Prefix(ipv6Customer) // an IPv6 address has 128 bits, so 64 is valid
	return prefix.Addr()
}
