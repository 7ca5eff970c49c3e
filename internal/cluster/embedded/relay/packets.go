package relay

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// IdleTimeout ends the session of a UDP client after its last packet in either direction.
const IdleTimeout = time.Minute

// backlog is how many packets of a client wait for dial. Further packets are lost, as UDP allows.
const backlog = 64

// Packets is like Stream, for UDP. The first packet of a client starts a session: Packets sends all
// packets of the client to one connection from dial, and sends replies to the client. The session
// ends after IdleTimeout, or if dial or the connection fails. After ctx ends, Packets closes c and
// all connections and returns nil. It returns an error if c can no longer receive packets.
func Packets(ctx context.Context, c net.PacketConn, dial Dial) error {
	s := &sessions{socket: c, dial: dial, clients: map[string]chan *packet{}}
	defer s.group.Wait()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	s.group.Go(func() {
		<-serving.Done()
		_ = c.Close() // makes ReadFrom return
	})
	var retry backoff
	for {
		p := newPacket()
		n, client, err := c.ReadFrom(*p.buffer)
		switch {
		case err == nil:
			retry.reset()
			p.length = n
			s.deliver(serving, client, p)
			continue
		case ctx.Err() != nil, isTemporary(err) && !retry.wait(serving):
			p.free()
			return nil
		case !isTemporary(err):
			p.free()
			return fmt.Errorf("receive packets on %s: %w", c.LocalAddr(), err)
		}
		p.free()
	}
}

// packet is a datagram in a pooled buffer.
type packet struct {
	buffer *[]byte
	length int
}

func newPacket() *packet { return &packet{buffer: buffers.Get().(*[]byte)} }

func (p *packet) bytes() []byte { return (*p.buffer)[:p.length] }

func (p *packet) free() { buffers.Put(p.buffer) }

// sessions are the sessions of one socket.
type sessions struct {
	socket net.PacketConn
	dial   Dial
	group  sync.WaitGroup

	mu      sync.Mutex
	clients map[string]chan *packet // packets to relay, by client address
}

// deliver queues a packet for its client's session. If there is none, it starts one.
func (s *sessions) deliver(ctx context.Context, client net.Addr, p *packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := client.String()
	sent := s.clients[key]
	if sent == nil {
		sent = make(chan *packet, backlog)
		s.clients[key] = sent
		s.group.Go(func() {
			s.relay(ctx, client, sent)
			s.remove(key)
		})
	}
	select {
	case sent <- p:
	default:
		p.free()
	}
}

// remove ends a session. Packets in its queue are lost.
func (s *sessions) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, key)
}

// relay copies packets both ways until the session is idle, the connection fails or ctx ends.
func (s *sessions) relay(ctx context.Context, client net.Addr, sent <-chan *packet) {
	server, err := s.dial(ctx, client)
	if err != nil {
		return
	}
	replied := make(chan bool, 1)
	var replies sync.WaitGroup
	defer replies.Wait()
	defer server.Close() //nolint:errcheck // nothing is buffered
	replies.Go(func() {
		defer close(replied)
		s.copyReplies(client, server, replied)
	})
	idle := time.NewTimer(IdleTimeout)
	defer idle.Stop()
	for {
		select {
		case p := <-sent:
			_, err := server.Write(p.bytes())
			p.free()
			if err != nil {
				return
			}
		case _, more := <-replied:
			if !more {
				return
			}
		case <-idle.C:
			return
		case <-ctx.Done():
			return
		}
		idle.Reset(IdleTimeout)
	}
}

// copyReplies copies packets to the client until the connection fails, and sends to replied.
func (s *sessions) copyReplies(client net.Addr, server net.Conn, replied chan<- bool) {
	reader := newReader(server)
	for {
		buffer, n, err := reader.next()
		if err == nil {
			_, _ = s.socket.WriteTo((*buffer)[:n], client) // an error has the same effect as a lost packet
		}
		buffers.Put(buffer)
		if err != nil {
			return // including ECONNREFUSED: the server's port is closed
		}
		select {
		case replied <- true:
		default:
		}
	}
}
