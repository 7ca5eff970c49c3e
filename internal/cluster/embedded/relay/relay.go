// Package relay copies TCP streams and UDP packets between network namespaces. It implements port
// mappings, cluster IPs, node ports and host ports.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Dial connects to the server for a client. It must return when ctx ends.
type Dial func(ctx context.Context, client net.Addr) (net.Conn, error)

// temporary lists errors of accept(2) and recvfrom(2) that do not concern the socket itself, such
// as a lack of resources. The manual pages recommend a retry.
var temporary = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO,
	syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	syscall.ECONNREFUSED, syscall.ECONNRESET,
}

func isTemporary(err error) bool {
	return slices.ContainsFunc(temporary, func(t error) bool { return errors.Is(err, t) })
}

// backoff is the delay before a retry. It doubles with each consecutive failure, from 5 ms to 1 s.
type backoff struct{ delay time.Duration }

// wait waits for the delay. It returns false if ctx ends first.
func (b *backoff) wait(ctx context.Context) bool {
	b.delay = min(max(2*b.delay, 5*time.Millisecond), time.Second)
	select {
	case <-time.After(b.delay):
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *backoff) reset() { b.delay = 0 }

// Stream accepts connections from l until ctx ends. It joins each with a connection from dial. It
// relays a TCP half-close as a half-close and a reset as a reset. If dial fails, it resets the
// client's connection, which the kernel has already accepted. After ctx ends, it closes l and all
// connections and returns nil. It returns an error if l can no longer accept connections.
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

func serveConn(ctx context.Context, client net.Conn, dial Dial) {
	server, err := dial(ctx, client.RemoteAddr())
	if err != nil {
		abort(client)
		return
	}
	Join(ctx, client, server)
}

// Join copies bytes between two connections until both directions end, one connection is reset, or
// ctx ends. Then it closes both. After a reset or the end of ctx, it resets them, so that a peer
// does not mistake a part of a message for the whole.
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

// copyDirection copies from from to to until the end. After an error, it resets both connections.
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

// copyAll is like io.Copy, but needs less memory for idle connections. io.Copy always holds a
// buffer, or a pipe for splice(2). copyAll takes a buffer only when there are bytes to read.
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

// closeWrite sends the end of the stream. If c does not support half-close, it closes c.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// abort resets a connection: the peer receives an RST (SO_LINGER in socket(7)).
func abort(c net.Conn) {
	if tcp, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // if it fails, Close below still closes the connection
	}
	_ = c.Close()
}

// bufferSize is the maximum size of a read. A datagram cannot be longer.
const bufferSize = 64 << 10

// buffers is the pool for all connections.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, bufferSize)
	return &b
}}

// reader reads from a connection. For a socket, it takes a buffer only when bytes are available.
type reader struct {
	conn net.Conn
	raw  syscall.RawConn
}

func newReader(c net.Conn) *reader {
	r := &reader{conn: c}
	// Use only these types. Others, such as TLS, can have their own Read method on top of the socket.
	switch socket := c.(type) {
	case *net.TCPConn:
		r.raw, _ = socket.SyscallConn() // next handles nil
	case *net.UnixConn:
		r.raw, _ = socket.SyscallConn()
	case *net.UDPConn:
		r.raw, _ = socket.SyscallConn()
	}
	return r
}

// next waits for bytes and returns them in a buffer, which the caller always returns to the pool.
func (r *reader) next() (buffer *[]byte, n int, err error) {
	if r.raw != nil {
		return r.receive()
	}
	buffer = buffers.Get().(*[]byte)
	n, err = r.conn.Read(*buffer)
	if n > 0 {
		err = nil // the next Read returns the error again
	}
	return buffer, n, err
}
