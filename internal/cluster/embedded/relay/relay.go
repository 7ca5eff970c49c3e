package relay

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// Dial opens the other half of a connection that came from client. It must return when ctx ends.
type Dial func(ctx context.Context, client net.Addr) (net.Conn, error)

// passing are the errors of accept(2) and recvfrom(2) that say nothing about the socket itself: too little of something, or
// a connection that ended before it was accepted. The manual page asks to go on.
var passing = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO,
	syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	syscall.ECONNREFUSED, syscall.ECONNRESET,
}

func passes(err error) bool {
	for _, p := range passing {
		if errors.Is(err, p) {
			return true
		}
	}
	return false
}

// patience is how long to wait before a socket is tried again: longer with each failure in a row, up to a second.
type patience struct{ delay time.Duration }

// wait returns false when ctx has ended.
func (p *patience) wait(ctx context.Context) bool {
	p.delay = min(max(2*p.delay, 5*time.Millisecond), time.Second)
	timer := time.NewTimer(p.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *patience) reset() { p.delay = 0 }
