package relay

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// QuietTime is how long the exchange of a UDP client is remembered after its last packet, in either direction.
const QuietTime = time.Minute

// backlog is how many packets of one client wait for dial; more are lost, as UDP allows.
const backlog = 64

// Packets does for UDP what Stream does: all packets of one client go to the connection that dial returned for the first of
// them, answers go back to the client, and an exchange that is quiet for QuietTime is forgotten. When dial or the connection
// fails, the client's next packet starts a new exchange. It returns when everything it started has ended: nil after ctx has,
// else why it cannot receive any more.
func Packets(ctx context.Context, c net.PacketConn, dial Dial) error {
	e := &exchanges{socket: c, dial: dial, clients: map[string]chan *packet{}}
	defer e.group.Wait()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	e.group.Go(func() {
		<-serving.Done()
		_ = c.Close() // ReadFrom returns then
	})
	var patience patience
	for {
		p := newPacket()
		n, client, err := c.ReadFrom(*p.buffer)
		switch {
		case err == nil:
			patience.reset()
			p.length = n
			e.deliver(serving, client, p)
			continue
		case ctx.Err() != nil, passes(err) && !patience.wait(serving):
			p.free()
			return nil
		case !passes(err):
			p.free()
			return fmt.Errorf("receive packets on %s: %w", c.LocalAddr(), err)
		}
		p.free()
	}
}

// packet is a datagram in a buffer of the pool.
type packet struct {
	buffer *[]byte
	length int
}

func newPacket() *packet { return &packet{buffer: buffers.Get().(*[]byte)} }

func (p *packet) bytes() []byte { return (*p.buffer)[:p.length] }

func (p *packet) free() { buffers.Put(p.buffer) }

// exchanges are those of one socket.
type exchanges struct {
	socket net.PacketConn
	dial   Dial
	group  sync.WaitGroup

	mu      sync.Mutex
	clients map[string]chan *packet // what each has sent, by its address
}

// deliver hands a packet to the exchange of its client.
func (e *exchanges) deliver(ctx context.Context, client net.Addr, p *packet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := client.String()
	sent := e.clients[key]
	if sent == nil {
		sent = make(chan *packet, backlog)
		e.clients[key] = sent
		e.group.Go(func() {
			e.exchange(ctx, client, sent)
			e.forget(key)
		})
	}
	select {
	case sent <- p:
	default:
		p.free()
	}
}

// forget ends an exchange. What came for it in its last moment is lost.
func (e *exchanges) forget(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.clients, key)
}

// exchange hands packets both ways until it is quiet for too long, the connection fails or ctx ends.
func (e *exchanges) exchange(ctx context.Context, client net.Addr, sent <-chan *packet) {
	server, err := e.dial(ctx, client)
	if err != nil {
		return
	}
	heard := make(chan bool, 1)
	var answers sync.WaitGroup
	defer answers.Wait()
	defer server.Close() //nolint:errcheck // nothing is buffered
	answers.Go(func() {
		defer close(heard)
		e.answer(client, server, heard)
	})
	quiet := time.NewTimer(QuietTime)
	defer quiet.Stop()
	for {
		select {
		case p := <-sent:
			_, err := server.Write(p.bytes())
			p.free()
			if err != nil {
				return
			}
		case _, more := <-heard:
			if !more {
				return
			}
		case <-quiet.C:
			return
		case <-ctx.Done():
			return
		}
		quiet.Reset(QuietTime)
	}
}

// answer hands what the server sends to the client, and says so, until the connection fails.
func (e *exchanges) answer(client net.Addr, server net.Conn, heard chan<- bool) {
	reader := newReader(server)
	for {
		buffer, n, err := reader.next()
		if err == nil {
			_, _ = e.socket.WriteTo((*buffer)[:n], client) // a client that is gone is no reason, and others are no worse than a loss
		}
		buffers.Put(buffer)
		if err != nil {
			return // also ECONNREFUSED: the server's machine says that nobody listens any more
		}
		select {
		case heard <- true:
		default:
		}
	}
}
