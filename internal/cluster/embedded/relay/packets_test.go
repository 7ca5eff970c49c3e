package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

func listenPackets(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.UDPConn)
}

func relayedPackets(t testing.TB, dial relay.Dial) net.Addr {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- relay.Packets(ctx, c, dial) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c.LocalAddr()
}

func send(t testing.TB, c net.PacketConn, to net.Addr, text string) {
	t.Helper()
	if _, err := c.WriteTo([]byte(text), to); err != nil {
		t.Fatal(err)
	}
}

func receive(t testing.TB, c net.PacketConn) (string, net.Addr) {
	t.Helper()
	b := make([]byte, 1<<16)
	n, from, err := c.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), from
}

func TestPacketsSendsRepliesToClient(t *testing.T) {
	server := listenPackets(t)
	address := relayedPackets(t, to(server.LocalAddr()))
	first, second := listenPackets(t), listenPackets(t)
	sources := map[string]net.Addr{}
	for i, c := range []*net.UDPConn{first, second, first} {
		text := fmt.Sprintf("query %d", i)
		send(t, c, address, text)
		got, from := receive(t, server)
		if got != text {
			t.Fatalf("the server got %q, want %q", got, text)
		}
		if known := sources[c.LocalAddr().String()]; known != nil && known.String() != from.String() {
			t.Errorf("the source of one client changed from %s to %s", known, from)
		}
		sources[c.LocalAddr().String()] = from
	}
	// Replies can come later, in another order, more than once, and empty.
	for _, text := range []string{"a", "", "b"} {
		send(t, server, sources[second.LocalAddr().String()], text+"2")
		send(t, server, sources[first.LocalAddr().String()], text)
		if got, from := receive(t, first); got != text || from.String() != address.String() {
			t.Errorf("the first client got %q from %s, want %q from %s", got, from, text, address)
		}
		if got, _ := receive(t, second); got != text+"2" {
			t.Errorf("the second client got %q, want %q", got, text+"2")
		}
	}
}

func TestPacketsRetriesDialForNextPacket(t *testing.T) {
	server := listenPackets(t)
	calls := make(chan int, 100)
	failed := make(chan bool, 100)
	address := relayedPackets(t, func(ctx context.Context, client net.Addr) (net.Conn, error) {
		calls <- 1
		if len(calls) == 1 {
			failed <- true
			return nil, errors.New("no endpoint")
		}
		return to(server.LocalAddr())(ctx, client)
	})
	client := listenPackets(t)
	send(t, client, address, "lost")
	<-failed
	// A packet might still belong to the end of the first session, so send it again, like a
	// resolver.
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		send(t, client, address, "query")
		_ = server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		b := make([]byte, 100)
		n, _, err := server.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if string(b[:n]) != "query" || err != nil {
			t.Errorf("the server got %q, %v", b[:n], err)
		}
		return
	}
	t.Error("the server got no packet")
}

// memory is a PacketConn in memory. It receives the packets of channel in from client "a".
type memory struct {
	net.PacketConn
	in, out chan string
	closed  chan bool
}

type name string

func (name) Network() string  { return "memory" }
func (n name) String() string { return string(n) }

func (m *memory) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case s := <-m.in:
		return copy(b, s), name("a"), nil
	case <-m.closed:
		return 0, nil, net.ErrClosed
	}
}

func (m *memory) WriteTo(b []byte, _ net.Addr) (int, error) { m.out <- string(b); return len(b), nil }
func (m *memory) LocalAddr() net.Addr                       { return name("here") }
func (m *memory) Close() error                              { close(m.closed); return nil }

func TestPacketsEndsIdleSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		socket := &memory{in: make(chan string), out: make(chan string), closed: make(chan bool)}
		servers := make(chan net.Conn, 10)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- relay.Packets(ctx, socket, func(context.Context, net.Addr) (net.Conn, error) {
				near, far := net.Pipe()
				servers <- far
				return near, nil
			})
		}()
		exchange := func(server net.Conn) {
			b := make([]byte, 10)
			if n, err := server.Read(b); string(b[:n]) != "ping" || err != nil {
				t.Fatalf("the server got %q, %v", b[:n], err)
			}
		}
		socket.in <- "ping"
		first := <-servers
		exchange(first)

		<-time.After(relay.IdleTimeout - time.Second)
		_, _ = first.Write([]byte("pong")) // a reply keeps the session alive
		if got := <-socket.out; got != "pong" {
			t.Fatalf("the client got %q", got)
		}
		<-time.After(relay.IdleTimeout - time.Second)
		socket.in <- "ping" // and so does a packet from the client
		exchange(first)

		<-time.After(relay.IdleTimeout + time.Second)
		if _, err := first.Read(make([]byte, 1)); err == nil {
			t.Error("the idle session was kept")
		}
		socket.in <- "ping"
		exchange(<-servers)

		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
