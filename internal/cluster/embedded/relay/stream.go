package relay

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// Stream accepts connections from l until ctx ends, and then closes l and every connection. Each is joined to what dial
// returns for it: the end of one direction is passed on as such (TCP half close), an abort as an abort, and a failure of
// dial resets the connection, since it is too late to refuse it. It returns when everything it started has ended: nil after
// ctx has, else why it cannot accept any more.
func Stream(ctx context.Context, l net.Listener, dial Dial) error {
	var group sync.WaitGroup
	defer group.Wait()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() {
		<-serving.Done()
		_ = l.Close() // Accept returns then
	})
	var patience patience
	for {
		client, err := l.Accept()
		switch {
		case err == nil:
			patience.reset()
			group.Go(func() { carry(serving, client, dial) })
		case ctx.Err() != nil, passes(err) && !patience.wait(serving):
			return nil
		case !passes(err):
			return fmt.Errorf("accept connections on %s: %w", l.Addr(), err)
		}
	}
}

// carry joins one connection and waits for its end.
func carry(ctx context.Context, client net.Conn, dial Dial) {
	server, err := dial(ctx, client.RemoteAddr())
	if err != nil {
		abort(client)
		return
	}
	Join(ctx, client, server)
}

// Join hands bytes between two connections, both ways, until both directions have ended, one was aborted, or ctx ends. Then
// both are closed: aborted in the latter cases, so that nobody takes half of a message for all of it.
func Join(ctx context.Context, a, b net.Conn) {
	stop := context.AfterFunc(ctx, func() {
		abort(a)
		abort(b)
	})
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { direction(a, b) })
	direction(b, a)
	group.Wait()
	_ = a.Close()
	_ = b.Close()
}

// direction copies until from ends. An error at either side means that this pair is of no use any more, in both directions.
func direction(to, from net.Conn) {
	err := copyAll(to, from)
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		abort(to)
		abort(from)
	}
}

// copyAll is io.Copy for connections that mostly wait. io.Copy would hold a buffer or (where it can splice) a pipe for the
// whole life of each direction; here a buffer is taken only when there is something to put into it.
func copyAll(to io.Writer, from net.Conn) error {
	reader := newReader(from)
	for {
		buffer, n, err := reader.next()
		if n > 0 {
			_, err = to.Write((*buffer)[:n])
		}
		buffers.Put(buffer)
		if err == io.EOF { //nolint:errorlint // Read returns it bare
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// closeWrite says that nothing more will come. What cannot say so closes altogether.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// abort closes a connection such that the other end learns of a failure: with a RST (SO_LINGER in socket(7)).
func abort(c net.Conn) {
	if tcp, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // it is about to be closed either way
	}
	_ = c.Close()
}
