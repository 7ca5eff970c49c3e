package relay

import (
	"net"
	"sync"
	"syscall"
)

// bufferSize is the longest read. No datagram is longer.
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
	// Only these types: others, such as TLS, can have a Read method of their own on top of the
	// socket.
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

// next waits for bytes and returns them in a buffer. The caller always returns the buffer to the
// pool.
func (r *reader) next() (buffer *[]byte, n int, err error) {
	if r.raw != nil {
		return r.receive()
	}
	buffer = buffers.Get().(*[]byte)
	n, err = r.conn.Read(*buffer)
	if n > 0 {
		err = nil // the next Read returns it again
	}
	return buffer, n, err
}
