package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
)

// strictConn is an HTTP/1 connection whose framing is checked as it is read. The handler asks nextRequest once for each
// request whether it may be served.
type strictConn struct {
	net.Conn
	framing framing // used by whoever reads; net/http reads from one goroutine at a time
	served  int     // requests that reached the handler; HTTP/1 serves one at a time
	off     atomic.Bool
	// violation is published for the handler, which may run while another goroutine reads.
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

// nextRequest counts a request and says what is ambiguous about it; empty when nothing is.
func (c *strictConn) nextRequest() string {
	c.served++
	if v := c.violation.Load(); v != nil && c.served >= v.request {
		return v.what
	}
	return ""
}

// stopChecking is for a connection that no longer speaks HTTP.
func (c *strictConn) stopChecking() { c.off.Store(true) }

// CloseWrite sends what is pending and then the end of the stream. net/http does this before it closes a connection on
// which the client may still be sending, so that the last response is not lost in a reset (https://go.dev/issue/3595).
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// strictTLSConn is a strictConn over TLS; by its extra method net/http knows that it is.
type strictTLSConn struct {
	strictConn
	tls *tls.Conn
}

// ConnectionState makes net/http set Request.TLS.
func (c *strictTLSConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

type connKey struct{}

// withConn is for http.Server.ConnContext.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	switch c := conn.(type) {
	case *strictConn:
		return context.WithValue(ctx, connKey{}, c)
	case *strictTLSConn:
		ctx = context.WithValue(ctx, connKey{}, &c.strictConn)
	}
	return context.WithValue(ctx, verdictKey{}, new(atomic.Pointer[verdict]))
}

// strictConnOf is the connection a request came on, or nil over HTTP/2, whose framing leaves no doubt.
func strictConnOf(ctx context.Context) *strictConn {
	c, _ := ctx.Value(connKey{}).(*strictConn)
	return c
}
