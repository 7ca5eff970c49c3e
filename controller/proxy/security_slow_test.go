package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// pipes is a network of pipes: a proxy with one pod that reads the request and responds "ok". It
// runs in a bubble of testing/synctest, with virtual time.
type pipes struct {
	conns chan net.Conn
	open  atomic.Int64
}

func newPipes(t *testing.T) *pipes {
	t.Helper()
	pod := &pipes{conns: make(chan net.Conn)}
	podServer := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		_, _ = io.WriteString(w, "ok")
	})}
	server := proxy.New(proxy.Options{Dial: func(context.Context, string, string) (net.Conn, error) { return pod.dial(), nil }})
	table, problems := routing.Build(snapshot(nil, []string{"10.0.0.1:80"}), routing.Options{IngressClass: "lab"}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	server.Swap(table)
	p := &pipes{conns: make(chan net.Conn)}
	ctx, cancel := context.WithCancelCause(t.Context())
	front := proxy.NewHTTPServer(ctx, server)
	go func() { _ = podServer.Serve(pod) }()
	go func() { _ = front.Serve(proxy.Listen(p)) }()
	t.Cleanup(func() {
		cancel(proxy.ErrShutdown)
		_ = front.Close()
		server.CloseIdle()
		_ = podServer.Close()
	})
	return p
}

// dial returns the client's end of a new connection.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.open.Add(1)
	p.conns <- &pipeEnd{Conn: server, open: &p.open}
	return client
}

// pipeEnd removes itself from the count when it is closed.
type pipeEnd struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *pipeEnd) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

func (c *pipeEnd) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	close(p.conns)
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// ending is what a connection received until the proxy closed it, and when it was closed.
type ending struct {
	text  string
	after time.Duration
}

func await(conn net.Conn) <-chan ending {
	result := make(chan ending, 1)
	start := time.Now()
	go func() {
		text, _ := io.ReadAll(conn)
		result <- ending{string(text), time.Since(start)}
	}()
	return result
}

// drip writes one byte at a time until a write fails.
func drip(conn net.Conn, text string, every time.Duration) {
	for i := 0; ; i = (i + 1) % len(text) {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return
		}
		<-time.After(every)
	}
}

// A deliberately slow client holds a connection, and with a body one to the pod as well. Each wait
// has a timeout.
func TestSlowClientsAreDisconnected(t *testing.T) {
	const start = "POST / HTTP/1.1\r\nHost: shop.test\r\n"
	for name, c := range map[string]struct {
		first string        // sent at once
		then  string        // sent byte by byte
		every time.Duration // the interval between bytes
		want  string        // the start of the response
		after time.Duration // when the connection is closed
	}{
		"nothing at all":           {after: 10 * time.Second},
		"a header that never ends": {first: start, then: "X-A: b\r\n", every: time.Second, after: 10 * time.Second},
		"half a request line":      {first: "GET /", after: 10 * time.Second},
		"a body that stops":        {first: start + "Content-Length: 9\r\n\r\nhalf", want: "HTTP/1.1 408 ", after: 60 * time.Second},
		"a chunk that stops": {first: start + "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", want: "HTTP/1.1 408 ",
			after: 60 * time.Second},
		"nothing after a request": {first: "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n", want: "HTTP/1.1 200 ", after: 75 * time.Second},
		"half a second request": {first: "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n" + start, then: "X-A: b\r\n", every: time.Second,
			want: "HTTP/1.1 200 ", after: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := newPipes(t).dial()
				reply := await(conn)
				if _, err := io.WriteString(conn, c.first); err != nil {
					t.Fatal(err)
				}
				var dripping sync.WaitGroup
				if c.then != "" {
					dripping.Go(func() { drip(conn, c.then, c.every) })
				}
				got := <-reply
				dripping.Wait()
				if !strings.HasPrefix(got.text, c.want) || c.want == "" && strings.Contains(got.text, " 200 ") {
					t.Errorf("response %q, want %q", firstLine(got.text), c.want)
				}
				if (got.after - c.after).Abs() > 2*time.Second {
					t.Errorf("closed after %s, want %s", got.after, c.after)
				}
			})
		})
	}
}

// A client that doesn't read its response must not hold the pod's connection forever.
func TestClientThatDoesNotReadIsDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t)
		conn := p.dial()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-time.After(50 * time.Second)
		if p.open.Load() != 1 {
			t.Error("closed too early")
		}
		<-time.After(20 * time.Second)
		if p.open.Load() != 0 {
			t.Error("still open after 70 s")
		}
	})
}

// Ten thousand idle connections must use little memory, not delay other clients, and be closed by
// the idle timeout.
func TestIdleConnectionsUseLittleMemoryAndExpire(t *testing.T) {
	const idle, most = 10_000, 32 << 10 // bytes per connection, including both ends of the pipe
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t)
		before := memory()
		conns := make([]net.Conn, idle)
		for i := range conns {
			conns[i] = p.dial()
			if i%10 == 0 { // some have sent a request before
				ask(t, conns[i])
			}
		}
		synctest.Wait()
		if each := (memory() - before) / idle; each > most {
			t.Errorf("an idle connection costs %d bytes, want at most %d", each, most)
		} else {
			t.Logf("an idle connection costs %d bytes", each)
		}
		ask(t, p.dial())
		<-time.After(76 * time.Second)
		synctest.Wait()
		if left := p.open.Load(); left != 0 {
			t.Errorf("%d of %d connections are open after 76 s", left, idle)
		}
		runtime.KeepAlive(conns)
	})
}

// ask sends a request and reads the response.
func ask(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); string(body) != "ok" || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%d %q, %v", response.StatusCode, body, err)
	}
}

// memory returns the memory of the process for objects and stacks.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
