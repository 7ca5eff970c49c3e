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

	"go.uber.org/goleak"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

// TestMain fails if a test leaks a goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

// relayed runs Stream until the test ends, and returns its address.
func relayed(t testing.TB, dial relay.Dial) net.Addr {
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

// pair returns both ends of a relayed connection.
func pair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	l := listen(t)
	client = connect(t, relayed(t, to(l.Addr())))
	return client, accept(t, l)
}

func TestStreamCopiesBothDirections(t *testing.T) {
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
				t.Errorf("got %d bytes, which differ from the %d sent (%v)", len(got), len(sent), err)
			}
		})
	}
	group.Wait()
}

// Some protocols end a request with a half-close, and then read the response.
func TestStreamRelaysHalfClose(t *testing.T) {
	client, server := pair(t)
	fmt.Fprint(client, "request") //nolint:errcheck // the read below fails
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(server); string(got) != "request" || err != nil {
		t.Fatalf("the server read %q, %v", got, err)
	}
	fmt.Fprint(server, "response") //nolint:errcheck // the read below fails
	_ = server.Close()
	if got, err := io.ReadAll(client); string(got) != "response" || err != nil {
		t.Fatalf("the client read %q, %v", got, err)
	}
}

func TestStreamRelaysReset(t *testing.T) {
	for _, end := range []string{"client", "server"} {
		t.Run("by the "+end, func(t *testing.T) {
			resetting, other := pair(t)
			if end == "server" {
				resetting, other = other, resetting
			}
			if err := resetting.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			_ = resetting.Close()
			if _, err := other.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the other end read: %v; want a reset", err)
			}
		})
	}
}

func TestStreamResetsConnectionIfDialFails(t *testing.T) {
	clients := make(chan net.Addr, 1)
	connected := make(chan bool)
	address := relayed(t, func(_ context.Context, from net.Addr) (net.Conn, error) {
		clients <- from
		<-connected // otherwise, connect of the client might fail with the reset
		return nil, errors.New("no endpoint")
	})
	client := connect(t, address)
	close(connected)
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v; want a reset", err)
	}
	if from := <-clients; from.String() != client.LocalAddr().String() {
		t.Errorf("dial got client %s, want %s", from, client.LocalAddr())
	}
}

func TestStreamEndsWithContext(t *testing.T) {
	l, server := listen(t), listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	var dials atomic.Int32
	dialing := make(chan bool) // closed by the second dial, which blocks until ctx ends
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
	fmt.Fprint(client, "x") //nolint:errcheck // the read below fails
	if _, err := far.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	blocked := connect(t, l.Addr())
	<-dialing
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Stream returned %v", err)
	}
	for name, c := range map[string]net.Conn{"client": client, "server": far, "client of the blocked dial": blocked} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: read: %v; want a reset", name, err)
		}
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the listener is still open")
	}
}

// scripted is a listener endse Accept fails as it is told.
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

func TestStreamRetriesTemporaryErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &scripted{failures: make(chan error)}
		ended := make(chan error, 1)
		go func() { ended <- relay.Stream(t.Context(), l, nil) }()
		start := time.Now()
		for range 100 {
			l.failures <- syscall.EMFILE
		}
		if waited := time.Since(start); waited < 30*time.Second || waited > 100*time.Second {
			t.Errorf("100 failures in a row took %v; want about a second each", waited)
		}
		select {
		case err := <-ended:
			t.Fatalf("Stream ended: %v", err)
		default:
		}
		l.failures <- syscall.EBADF
		if err := <-ended; !errors.Is(err, syscall.EBADF) {
			t.Errorf("Stream returned %v; want EBADF", err)
		}
	})
}

// A net.Pipe has no half-close, no reset and no file descriptor.
func TestJoinSupportsPipes(t *testing.T) {
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
