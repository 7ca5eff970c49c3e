//go:build unix

package relay

import (
	"io"
	"net"
	"os"
	"syscall"
)

// receive implements next for a socket.
func (r *reader) receive() (buffer *[]byte, n int, err error) {
	var failure error
	err = r.raw.Read(func(fd uintptr) (done bool) {
		buffer = buffers.Get().(*[]byte)
		for {
			n, failure = syscall.Read(int(fd), *buffer)
			if failure != syscall.EINTR {
				break
			}
		}
		if failure == syscall.EAGAIN {
			buffers.Put(buffer)
			buffer = nil
			return false // wait until bytes are available
		}
		return true
	})
	switch {
	case buffer == nil: // closed, or the deadline passed
		buffer = buffers.Get().(*[]byte)
	case failure != nil:
		n, err = 0, os.NewSyscallError("read", failure)
	case n == 0:
		if _, udp := r.conn.(*net.UDPConn); !udp { // 0 bytes from UDP are an empty datagram, not the end
			err = io.EOF
		}
	}
	return buffer, max(n, 0), err
}
