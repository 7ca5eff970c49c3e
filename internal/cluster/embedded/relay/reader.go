package relay

import (
	"net"
	"sync"
	"syscall"
)

// bufferSize is the most that is handed on at once; no datagram is longer.
const bufferSize = 64 << 10

// buffers are shared by all connections.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, bufferSize)
	return &b
}}

// reader reads from a connection into a buffer that it takes when bytes have come, if the connection is a socket.
type reader struct {
	conn net.Conn
	raw  syscall.RawConn
}

func newReader(c net.Conn) *reader {
	r := &reader{conn: c}
	// Only these types: another may have a Read of its own on top of its socket, as TLS does.
	switch socket := c.(type) {
	case *net.TCPConn:
		r.raw, _ = socket.SyscallConn() // nil is fine
	case *net.UnixConn:
		r.raw, _ = socket.SyscallConn()
	case *net.UDPConn:
		r.raw, _ = socket.SyscallConn()
	}
	return r
}

// next waits for bytes and returns them in a buffer, which the caller gives back to buffers in every case.
func (r *reader) next() (buffer *[]byte, n int, err error) {
	if r.raw != nil {
		return r.receive()
	}
	buffer = buffers.Get().(*[]byte)
	n, err = r.conn.Read(*buffer)
	if n > 0 {
		err = nil // it will come again
	}
	return buffer, n, err
}
