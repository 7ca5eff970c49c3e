package service

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// backend chooses who answers at a frontend. Its methods may be called from any goroutine.
type backend struct {
	mu     sync.Mutex
	answer answer
	turn   int
	stays  map[netip.Addr]stay
	flows  map[*flow]netip.AddrPort
}

// stay is where a client was sent before, if that counts.
type stay struct {
	endpoint netip.AddrPort
	until    time.Time
}

// errNobody refuses a client for whom there is no endpoint.
var errNobody = errors.New("no endpoint")

// set replaces who answers. What goes on with endpoints that are no more is ended for UDP, which knows no end of its own: a
// client that keeps its port would ask them for ever.
func (b *backend) set(a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = a
	for client, s := range b.stays {
		if a.affinity == 0 || !slices.Contains(a.endpoints, s.endpoint) {
			delete(b.stays, client)
		}
	}
	for f, endpoint := range b.flows {
		if !slices.Contains(a.endpoints, endpoint) {
			_ = f.Conn.Close() // and its Close takes it out
		}
	}
}

// pick chooses for a client, who is on a node (or on none that is known). Without affinity all endpoints take turns.
func (b *backend) pick(client netip.Addr, node string, now time.Time) (netip.AddrPort, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	candidates := b.answer.endpoints
	if b.answer.local != nil {
		candidates = b.answer.local[node]
	}
	if len(candidates) == 0 {
		return netip.AddrPort{}, errNobody
	}
	if b.answer.affinity == 0 {
		return b.takeTurn(candidates), nil
	}
	s, ok := b.stays[client]
	if !ok || now.After(s.until) || !slices.Contains(candidates, s.endpoint) {
		b.forget(now)
		s.endpoint = b.takeTurn(candidates)
	}
	s.until = now.Add(b.answer.affinity)
	if b.stays == nil {
		b.stays = map[netip.Addr]stay{}
	}
	b.stays[client] = s
	return s.endpoint, nil
}

func (b *backend) takeTurn(candidates []netip.AddrPort) netip.AddrPort {
	b.turn++
	return candidates[b.turn%len(candidates)]
}

// forget drops stays that are over.
func (b *backend) forget(now time.Time) {
	for client, s := range b.stays {
		if now.After(s.until) {
			delete(b.stays, client)
		}
	}
}

// flow is a UDP connection to an endpoint.
type flow struct {
	net.Conn
	of *backend
}

// Close implements net.Conn.
func (f *flow) Close() error {
	f.of.mu.Lock()
	delete(f.of.flows, f)
	f.of.mu.Unlock()
	return f.Conn.Close()
}

// follow makes set end the connection when its endpoint is no more.
func (b *backend) follow(c net.Conn, endpoint netip.AddrPort) net.Conn {
	f := &flow{Conn: c, of: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flows == nil {
		b.flows = map[*flow]netip.AddrPort{}
	}
	b.flows[f] = endpoint
	return f
}

// dialTime is how long an endpoint may take to accept. A pod that is gone does not answer at all, or only late.
const dialTime = 10 * time.Second

// dial connects to the endpoint whose turn it is.
func (b *backend) dial(ctx context.Context, from *place, network string, client net.Addr) (net.Conn, error) {
	address := addressOf(client)
	endpoint, err := b.pick(address, from.nodeOf(address), time.Now())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := from.Dial(ctx, network, endpoint.String())
	if err == nil && network == udp {
		conn = b.follow(conn, endpoint)
	}
	return conn, err
}

func addressOf(a net.Addr) netip.Addr {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
