package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

func listen(t testing.TB) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.(*net.TCPListener)
}

func connect(t testing.TB, address net.Addr) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	// No test waits for ever for what does not come.
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func accept(t testing.TB, l *net.TCPListener) *net.TCPConn {
	t.Helper()
	if err := l.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

func to(server net.Addr) relay.Dial {
	return func(ctx context.Context, _ net.Addr) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, server.Network(), server.String())
	}
}

// carried runs Stream until the test ends, and returns where it listens.
func carried(t testing.TB, dial relay.Dial) net.Addr {
	t.Helper()
	l := listen(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- relay.Stream(ctx, l, dial) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr()
}

// pair is both ends of a connection that is carried.
func pair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	l := listen(t)
	client = connect(t, carried(t, to(l.Addr())))
	return client, accept(t, l)
}

func TestStreamCarriesEveryByteBothWays(t *testing.T) {
	client, server := pair(t)
	source := rand.NewChaCha8([32]byte{})
	sent := make([]byte, 5<<20)
	_, _ = source.Read(sent)
	var group sync.WaitGroup
	for _, end := range []*net.TCPConn{client, server} {
		group.Go(func() {
			if _, err := end.Write(sent); err != nil {
				t.Error(err)
			}
			if err := end.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			got, err := io.ReadAll(end)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("got %d bytes that are not the %d sent (%v)", len(got), len(sent), err)
			}
		})
	}
	group.Wait()
}

// Protocols that end the request with the end of the stream still want their answer.
func TestStreamPassesOnTheEndOfOneDirection(t *testing.T) {
	client, server := pair(t)
	fmt.Fprint(client, "question") //nolint:errcheck // the server will miss it
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Fatalf("the server read %q, %v", got, err)
	}
	fmt.Fprint(server, "answer") //nolint:errcheck // the client will miss it
	_ = server.Close()
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Fatalf("the client read %q, %v", got, err)
	}
}

func TestStreamPassesOnAnAbort(t *testing.T) {
	for _, who := range []string{"client", "server"} {
		t.Run("of the "+who, func(t *testing.T) {
			aborts, hears := pair(t)
			if who == "server" {
				aborts, hears = hears, aborts
			}
			if err := aborts.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			_ = aborts.Close()
			if _, err := hears.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the other end read: %v; want a reset", err)
			}
		})
	}
}

func TestStreamResetsWhatCannotBeDialed(t *testing.T) {
	asked := make(chan net.Addr, 1)
	connected := make(chan bool)
	address := carried(t, func(_ context.Context, from net.Addr) (net.Conn, error) {
		asked <- from
		<-connected // the client's connect may see the reset, else
		return nil, errors.New("no endpoint")
	})
	client := connect(t, address)
	close(connected)
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v; want a reset", err)
	}
	if from := <-asked; from.String() != client.LocalAddr().String() {
		t.Errorf("dial was asked for %s, and the client is %s", from, client.LocalAddr())
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	l, server := listen(t), listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	var dials atomic.Int32
	dialing := make(chan bool) // closed by the second, which hangs until the end
	go func() {
		ended <- relay.Stream(ctx, l, func(ctx context.Context, client net.Addr) (net.Conn, error) {
			if dials.Add(1) == 1 {
				return to(server.Addr())(ctx, client)
			}
			close(dialing)
			<-ctx.Done()
			return nil, ctx.Err()
		})
	}()
	client := connect(t, l.Addr())
	far := accept(t, server)
	fmt.Fprint(client, "x") //nolint:errcheck // the server will miss it
	if _, err := far.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	hangs := connect(t, l.Addr())
	<-dialing
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Stream returned %v", err)
	}
	for name, c := range map[string]net.Conn{"client": client, "server": far, "client of a dial that hangs": hangs} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: read: %v; want a reset", name, err)
		}
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("it still listens")
	}
}

// scripted is a listener whose Accept fails as it is told.
type scripted struct {
	net.Listener
	failures chan error
}

func (s *scripted) Accept() (net.Conn, error) {
	if err, more := <-s.failures; more {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	return nil, net.ErrClosed
}
func (s *scripted) Addr() net.Addr { return &net.TCPAddr{} }
func (s *scripted) Close() error   { return nil }

func TestStreamWaitsOutFailuresThatPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &scripted{failures: make(chan error)}
		ended := make(chan error, 1)
		go func() { ended <- relay.Stream(t.Context(), l, nil) }()
		start := time.Now()
		for range 100 {
			l.failures <- syscall.EMFILE
		}
		if waited := time.Since(start); waited < 30*time.Second || waited > 100*time.Second {
			t.Errorf("100 failures in a row took %v; want about a second for each", waited)
		}
		select {
		case err := <-ended:
			t.Fatalf("Stream gave up: %v", err)
		default:
		}
		l.failures <- syscall.EBADF
		if err := <-ended; !errors.Is(err, syscall.EBADF) {
			t.Errorf("Stream returned %v; want EBADF", err)
		}
	})
}

// Memory streams have no half close and no reset, and no descriptor to wait for.
func TestJoinTakesConnectionsThatAreNotSockets(t *testing.T) {
	client, a := net.Pipe()
	b, server := net.Pipe()
	ended := make(chan bool)
	go func() { relay.Join(t.Context(), a, b); close(ended) }()
	go func() { _, _ = client.Write([]byte("hello")); _ = client.Close() }()
	if got, err := io.ReadAll(server); string(got) != "hello" || err != nil {
		t.Errorf("the server read %q, %v", got, err)
	}
	<-ended
}
