package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// namespace implements Namespace.
type namespace struct {
	address netip.Addr
	leave   func() error // removes the namespace from the hub's routes
	isHub   bool         // the process itself runs in the hub

	mu     sync.RWMutex // held for reading while fd is used
	fd     int
	closed bool
}

func (n *namespace) Address() netip.Addr { return n.address }

func (n *namespace) FD() int { return n.fd }

func (n *namespace) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var c net.ListenConfig
	c.SetMultipathTCP(false) // it is useless without a second path
	return open(ctx, n, network, address, c.Listen)
}

func (n *namespace) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var c net.ListenConfig
	return open(ctx, n, network, address, c.ListenPacket)
}

func (n *namespace) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	d.SetMultipathTCP(false)
	return open(ctx, n, network, address, d.DialContext)
}

// opener opens a socket of package net.
type opener[T any] func(ctx context.Context, network, address string) (T, error)

// open calls f, which opens a socket for address, on a thread in the namespace.
func open[T any](ctx context.Context, n *namespace, network, address string, f opener[T]) (socket T, err error) {
	err = n.inside(network, address, func() (err error) {
		socket, err = f(ctx, network, address)
		return err
	})
	return socket, err
}

// inside runs f, which opens a socket for address, on a thread in the namespace.
func (n *namespace) inside(network, address string, f func() error) error {
	if err := checkLiteral(network, address); err != nil {
		return err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return &net.OpError{Op: "open", Net: network, Err: net.ErrClosed}
	}
	if n.isHub {
		return f()
	}
	return inside(n.fd, f)
}

// checkLiteral rejects host names: package net resolves them on threads outside the namespace.
func checkLiteral(network, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host != "" && net.ParseIP(host) == nil {
		return &net.AddrError{Err: "host name instead of an IP address for " + network, Addr: address}
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

// onThread runs f on an operating system thread of its own, and waits for it.
//
// A network namespace belongs to a thread (setns(2)), whereas goroutines move between threads. The
// goroutine ends while it is locked to its thread, so the Go runtime ends the thread, too
// (runtime.LockOSThread). A thread in the wrong namespace can therefore never run other goroutines.
// A new thread takes some tens of microseconds. A permanent thread per pod would keep its stack.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread cannot end alone, and /proc/PID/ns/net refers to its namespace. While this
			// goroutine is locked to it, f runs on a different thread.
			defer runtime.UnlockOSThread()
			done <- onThread(f)
			return
		}
		done <- f()
	}()
	return <-done
}

// inside runs f on a thread in the network namespace fd.
func inside(fd int, f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

// current opens the network namespace of the calling thread.
func current() (int, error) {
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open the network namespace: %w", err)
	}
	return fd, nil
}
