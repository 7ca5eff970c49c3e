package service

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// balancer selects an endpoint for each connection to a frontend. It is safe for concurrent use.
type balancer struct {
	mu       sync.Mutex
	backends backends
	turn     int
	sessions map[netip.Addr]session
	flows    map[*flow]netip.AddrPort
}

// session is the endpoint of a client with session affinity.
type session struct {
	endpoint netip.AddrPort
	expires  time.Time
}

var errNoEndpoint = errors.New("no endpoint")

func newBalancer(b backends) *balancer {
	return &balancer{backends: b, sessions: map[netip.Addr]session{}, flows: map[*flow]netip.AddrPort{}}
}

// set replaces the endpoints. It closes UDP flows to removed endpoints: UDP has no end of
// connection, so a client that keeps its port would send to them forever.
func (b *balancer) set(new backends) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = new
	for client, s := range b.sessions {
		if new.affinity == 0 || !slices.Contains(new.endpoints, s.endpoint) {
			delete(b.sessions, client)
		}
	}
	for f, endpoint := range b.flows {
		if !slices.Contains(new.endpoints, endpoint) {
			_ = f.Conn.Close() // the relay then calls f.Close, which deletes f
		}
	}
}

// pick selects an endpoint by session, or else round robin. node is the client's node, if known.
func (b *balancer) pick(client netip.Addr, node string, now time.Time) (netip.AddrPort, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	candidates := b.backends.endpoints
	if b.backends.local != nil {
		candidates = b.backends.local[node]
	}
	if len(candidates) == 0 {
		return netip.AddrPort{}, errNoEndpoint
	}
	if b.backends.affinity == 0 {
		return b.next(candidates), nil
	}
	s, ok := b.sessions[client]
	if !ok || now.After(s.expires) || !slices.Contains(candidates, s.endpoint) {
		for client, s := range b.sessions {
			if now.After(s.expires) {
				delete(b.sessions, client)
			}
		}
		s.endpoint = b.next(candidates)
	}
	s.expires = now.Add(b.backends.affinity)
	b.sessions[client] = s
	return s.endpoint, nil
}

func (b *balancer) next(candidates []netip.AddrPort) netip.AddrPort {
	b.turn++
	return candidates[b.turn%len(candidates)]
}

// flow is a UDP connection to an endpoint.
type flow struct {
	net.Conn
	of *balancer
}

func (f *flow) Close() error {
	f.of.mu.Lock()
	delete(f.of.flows, f)
	f.of.mu.Unlock()
	return f.Conn.Close()
}

// track returns c as a flow, which set closes when its endpoint is removed.
func (b *balancer) track(c net.Conn, endpoint netip.AddrPort) net.Conn {
	f := &flow{Conn: c, of: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flows[f] = endpoint
	return f
}

// dialTimeout limits a connection attempt, because a deleted pod's address might not respond.
const dialTimeout = 10 * time.Second

// dial connects to the endpoint that pick selects.
func (b *balancer) dial(ctx context.Context, from network.Namespace, protocol string, client netip.Addr, node string) (net.Conn, error) {
	endpoint, err := b.pick(client, node, time.Now())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := from.Dial(ctx, protocol, endpoint.String())
	if err == nil && protocol == udp {
		conn = b.track(conn, endpoint)
	}
	return conn, err
}
