package balancer

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// LimiterCapacity is how many clients a Limiter remembers, all routes together; about 16 MiB at the most. ingress-nginx gives
// each limit of each Ingress 5 MiB, which is some 80,000.
const LimiterCapacity = 1 << 16

// Limits bound what one client may do on one route; 0: no limit.
type Limits struct {
	// PerSecond and PerMinute are rates of requests; both hold.
	PerSecond, PerMinute int
	// Burst is how many times a rate may be exceeded at once: with 5 requests a second and a Burst of 5, a client that was
	// quiet has 26 requests served at once, and then five a second.
	Burst int
	// Connections is the number of requests at the same time, upgraded connections included.
	Connections int
}

// Client is whom Limits are about: an address on a route. Any text will do for the route, if it stays the same when tables
// change.
type Client struct {
	Route   string
	Address netip.Addr
}

// Verdict says what became of a request under Limits.
type Verdict int

const (
	// Admitted may pass. With a limit of connections it counts as one until Leave.
	Admitted Verdict = iota
	// TooFast is beyond PerSecond or PerMinute. It counts for nothing.
	TooFast
	// TooMany is beyond Connections. It counts for nothing, either.
	TooMany
)

// Limiter counts requests by client. It remembers a bounded number of clients and forgets first whoever was quiet for longest: an
// attacker with many addresses costs no memory. Clients with requests in flight are not forgotten; their number is
// bounded by that of the connections. A Limiter may be used by any number of goroutines.
type Limiter struct {
	capacity int

	mu      sync.Mutex
	clients map[Client]*tally
	// quiet has those with nothing in flight, the most recent first.
	quiet list.List
}

// tally is what is known about one client.
type tally struct {
	client Client
	// second and minute are as they were at the time last.
	second, minute bucket
	last           time.Time
	inFlight       int
	// place is in Limiter.quiet; nil while something is in flight.
	place *list.Element
}

// NewLimiter makes a Limiter that remembers as many clients as capacity says, at least one.
func NewLimiter(capacity int) *Limiter {
	return &Limiter{capacity: max(capacity, 1), clients: map[Client]*tally{}}
}

// Admit counts a request at the time now, unless it is beyond the limits; then it says how long the client has to wait until
// another one could pass (for TooMany nobody knows: 0). An admitted request with a limit of connections needs one Leave.
//
// The rates are leaky buckets as in nginx's limit_req with nodelay
// (https://nginx.org/en/docs/http/ngx_http_limit_req_module.html), the connections limit_conn. IPv6 clients count by
// their /64: that is what one customer gets (RFC 6177), and each of its addresses costs nothing.
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

// Leave takes back one connection of an admitted request.
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

// Len is the number of clients that are remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.clients)
}

// tally finds what is known about a client, and moves it to the front of those that are quiet.
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

// enter counts a request in flight. Its client cannot be forgotten until it has left.
func (l *Limiter) enter(t *tally) {
	t.inFlight++
	if t.place != nil {
		l.quiet.Remove(t.place)
		t.place = nil
	}
}

// forget makes room: of the quiet clients, the one that was quiet for longest goes.
func (l *Limiter) forget() {
	for l.quiet.Len() > l.capacity {
		oldest := l.quiet.Back()
		delete(l.clients, l.quiet.Remove(oldest).(*tally).client)
	}
}

// bucket is how many requests a client is ahead of its rate.
type bucket float64

// empty is the bucket of a client that has not been here yet.
const empty bucket = -1

// add lets the bucket leak for some time at rate requests a unit and puts one request in. If it then holds more than
// burst times the rate, it gives the time until a request would fit; otherwise 0.
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

// network is what a client counts by: an IPv4 address, or an IPv6 /64.
func network(a netip.Addr) netip.Addr {
	const ipv6Customer = 64
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	prefix, _ := a.Prefix(ipv6Customer) // an IPv6 address has 64 bits
	return prefix.Addr()
}
