package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// strictConn is an HTTP/1 connection that checks the framing of its requests. The handler calls
// nextRequest once per request, to learn whether it can serve the request.
type strictConn struct {
	net.Conn
	framing framing // used by the reading goroutine; net/http reads from one goroutine at a time
	served  int     // requests that reached the handler; HTTP/1 serves one at a time
	off     atomic.Bool
	// violation is atomic: the handler can run while another goroutine reads.
	violation atomic.Pointer[violation]
}

type violation struct {
	request int
	what    string
}

// Read implements net.Conn.
func (c *strictConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.off.Load() && c.framing.step != stopped {
		if c.framing.feed(p[:n]); c.framing.violation != "" {
			c.violation.Store(&violation{request: c.framing.violationAt, what: c.framing.violation})
		}
	}
	return n, err
}

// nextRequest counts a request. If the request is ambiguous, it returns a description of why.
func (c *strictConn) nextRequest() string {
	c.served++
	if v := c.violation.Load(); v != nil && c.served >= v.request {
		return v.what
	}
	return ""
}

// stopChecking ends the framing check, after an upgrade from HTTP.
func (c *strictConn) stopChecking() { c.off.Store(true) }

// CloseWrite sends the pending data and then the end of the stream. net/http calls it before it
// closes a connection on which the client might still be sending. Otherwise a TCP reset could
// discard the last response (https://go.dev/issue/3595).
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// strictTLSConn is a strictConn over TLS. net/http recognizes TLS by the method ConnectionState.
type strictTLSConn struct {
	strictConn
	tls *tls.Conn
}

// ConnectionState makes net/http set Request.TLS.
func (c *strictTLSConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

type connKey struct{}

// withConn is the http.Server's ConnContext.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	switch c := conn.(type) {
	case *strictConn:
		return context.WithValue(ctx, connKey{}, c)
	case *strictTLSConn:
		ctx = context.WithValue(ctx, connKey{}, &c.strictConn)
	}
	return context.WithValue(ctx, verdictKey{}, new(atomic.Pointer[verdict]))
}

// strictConnOf returns the connection of a request. It returns nil over HTTP/2, whose framing is
// unambiguous.
func strictConnOf(ctx context.Context) *strictConn {
	c, _ := ctx.Value(connKey{}).(*strictConn)
	return c
}

// Connections counts client connections by state. Track is for http.Server.ConnState. An HTTP/2
// connection counts as active from its first byte to its end.
type Connections struct {
	mu       sync.Mutex
	state    map[net.Conn]http.ConnState
	counts   map[http.ConnState]int64
	accepted uint64
}

// NewConnections returns a Connections with all counts zero.
func NewConnections() *Connections {
	return &Connections{state: map[net.Conn]http.ConnState{}, counts: map[http.ConnState]int64{}}
}

// Track records a connection's new state. An upgraded connection is no longer counted, because it
// is no longer HTTP.
func (c *Connections) Track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, known := c.state[conn]; known {
		c.counts[before]--
	} else if state == http.StateNew {
		c.accepted++
	}
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.state, conn)
		return
	}
	c.state[conn] = state
	c.counts[state]++
}

// Counts returns the number of connections that wait for their first request (reading), that serve
// a request (writing), and that are idle (waiting), and how many were accepted since the start.
func (c *Connections) Counts() (reading, writing, waiting int64, accepted uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[http.StateNew], c.counts[http.StateActive], c.counts[http.StateIdle], c.accepted
}
