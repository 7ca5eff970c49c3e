package nodeapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// takeover is a response whose connection a handler takes over. net/http stops looking at such a connection, and nobody would
// notice that a kubectl was killed while its command waits: takeover cancels the request when the client is gone.
type takeover struct {
	http.ResponseWriter
	serving context.Context
	gone    context.CancelFunc
}

// watch returns what to hand to a handler that takes over the connection. release ends the watch.
func (a *api) watch(w http.ResponseWriter, r *http.Request) (wrapped http.ResponseWriter, request *http.Request, release func()) {
	ctx, gone := context.WithCancel(r.Context())
	return &takeover{w, a.serving, gone}, r.WithContext(ctx), gone
}

// Hijack implements http.Hijacker.
func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the connection: %w", err)
	}
	watched := &watchedConn{Conn: conn, gone: t.gone}
	watched.forget = context.AfterFunc(t.serving, func() { _ = conn.Close() })
	early, err := buffered.Peek(buffered.Reader.Buffered())
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	reader := bufio.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(early)), watched))
	return watched, bufio.NewReadWriter(reader, buffered.Writer), nil
}

// watchedConn says when nothing will be read from it any more.
type watchedConn struct {
	net.Conn
	gone context.CancelFunc
	// forget takes it from the list of what ends with the node.
	forget func() bool
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.gone()
	}
	return n, err
}

// Close is also how a protocol's library answers a client that takes its leave: it reads no further then.
func (c *watchedConn) Close() error {
	c.gone()
	c.forget()
	return c.Conn.Close()
}
