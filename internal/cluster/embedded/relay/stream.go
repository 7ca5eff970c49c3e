package relay

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// Stream accepts connections from l until ctx ends, and joins each to the connection from dial.
// It relays a TCP half-close as a half-close and a reset as a reset. If dial fails, it resets the
// connection, which the kernel has already accepted. After ctx ends, it closes l and all
// connections and returns nil. It returns an error if l cannot accept connections anymore.
func Stream(ctx context.Context, l net.Listener, dial Dial) error {
	var group sync.WaitGroup
	defer group.Wait()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() {
		<-serving.Done()
		_ = l.Close() // makes Accept return
	})
	var retry backoff
	for {
		client, err := l.Accept()
		switch {
		case err == nil:
			retry.reset()
			group.Go(func() { serveConn(serving, client, dial) })
		case ctx.Err() != nil, isTemporary(err) && !retry.wait(serving):
			return nil
		case !isTemporary(err):
			return fmt.Errorf("accept connections on %s: %w", l.Addr(), err)
		}
	}
}

// serveConn relays one connection until it ends.
func serveConn(ctx context.Context, client net.Conn, dial Dial) {
	server, err := dial(ctx, client.RemoteAddr())
	if err != nil {
		abort(client)
		return
	}
	Join(ctx, client, server)
}

// Join copies bytes between two connections until both directions end, one connection is reset, or
// ctx ends. Then it closes both. In the last two cases it resets them, so that a peer does not
// mistake a part of a message for the whole.
func Join(ctx context.Context, a, b net.Conn) {
	stop := context.AfterFunc(ctx, func() {
		abort(a)
		abort(b)
	})
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { copyDirection(a, b) })
	copyDirection(b, a)
	group.Wait()
	_ = a.Close()
	_ = b.Close()
}

// copyDirection copies until from ends. It resets both connections after an error.
func copyDirection(to, from net.Conn) {
	err := copyAll(to, from)
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		abort(to)
		abort(from)
	}
}

// copyAll is like io.Copy, for connections that are mostly idle. io.Copy holds a buffer, or a pipe
// for splice(2), all the time. copyAll takes a buffer only when there are bytes to read.
func copyAll(to io.Writer, from net.Conn) error {
	reader := newReader(from)
	for {
		buffer, n, err := reader.next()
		if n > 0 {
			_, err = to.Write((*buffer)[:n])
		}
		buffers.Put(buffer)
		if err == io.EOF { //nolint:errorlint // Read does not wrap it
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// closeWrite ends the stream. It closes a connection that does not support half-close.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// abort resets a connection: the peer receives an RST (SO_LINGER in socket(7)).
func abort(c net.Conn) {
	if tcp, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // Close follows anyway
	}
	_ = c.Close()
}
