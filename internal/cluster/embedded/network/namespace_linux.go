package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// namespace is a Namespace.
type namespace struct {
	address netip.Addr
	leave   func() error // tells the hub that the member is gone
	here    bool         // whether it is the hub, where the process is

	mu     sync.RWMutex // held for reading while fd is used
	fd     int
	closed bool
}

func (n *namespace) Address() netip.Addr { return n.address }

func (n *namespace) FD() int { return n.fd }

func (n *namespace) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var l net.Listener
	err := n.inside(network, address, func() (err error) {
		l, err = listenConfig().Listen(ctx, network, address)
		return err
	})
	return l, err
}

func (n *namespace) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var c net.PacketConn
	err := n.inside(network, address, func() (err error) {
		c, err = listenConfig().ListenPacket(ctx, network, address)
		return err
	})
	return c, err
}

func (n *namespace) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var c net.Conn
	err := n.inside(network, address, func() (err error) {
		var d net.Dialer
		d.SetMultipathTCP(false)
		c, err = d.DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// listenConfig is without Multipath TCP, which Go would offer: nobody inside has a second path.
func listenConfig() *net.ListenConfig {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	return &c
}

// inside runs f, which makes a socket for address, on a thread in the namespace.
func (n *namespace) inside(network, address string, f func() error) error {
	if err := literal(network, address); err != nil {
		return err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return &net.OpError{Op: "open", Net: network, Err: net.ErrClosed}
	}
	if n.here {
		return f()
	}
	return inside(n.fd, f)
}

// literal refuses what the net package would do on other threads, outside of the namespace: asking for names.
func literal(network, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host != "" && net.ParseIP(host) == nil {
		return &net.AddrError{Err: "a name where an IP address is wanted for " + network, Addr: address}
	}
	return nil
}

func (n *namespace) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	var err error
	if n.leave != nil {
		err = n.leave()
	}
	if closeErr := unix.Close(n.fd); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("network of %s: %w", n.address, err)
	}
	return nil
}
