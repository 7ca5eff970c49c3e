// Package relay copies TCP streams and UDP packets between network namespaces. It implements port
// mappings, cluster IPs, node ports and host ports.
package relay

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"time"
)

// Dial opens the connection to the server for a client. It must return when ctx ends.
type Dial func(ctx context.Context, client net.Addr) (net.Conn, error)

// temporary errors of accept(2) and recvfrom(2) do not concern the socket itself: a lack of
// resources, or a connection that ended too early. The manual pages recommend a retry.
var temporary = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO,
	syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	syscall.ECONNREFUSED, syscall.ECONNRESET,
}

func isTemporary(err error) bool {
	return slices.ContainsFunc(temporary, func(t error) bool { return errors.Is(err, t) })
}

// backoff is the delay before a retry. It doubles with each failure in a row, from 5 ms to 1 s.
type backoff struct{ delay time.Duration }

// wait returns false if ctx ends first.
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
