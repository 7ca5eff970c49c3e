//go:build unix

package relay

import (
	"io"
	"net"
	"os"
	"syscall"
)

// receive waits without a buffer.
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
			return false // come back when there is something
		}
		return true
	})
	switch {
	case buffer == nil: // closed, or past its deadline
		buffer = buffers.Get().(*[]byte)
	case failure != nil:
		n, err = 0, os.NewSyscallError("read", failure)
	case n == 0 && !r.datagrams():
		err = io.EOF
	}
	return buffer, max(n, 0), err
}

// datagrams says whether a message may be empty.
func (r *reader) datagrams() bool {
	_, ok := r.conn.(*net.UDPConn)
	return ok
}
