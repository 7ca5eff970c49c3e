package service

import (
	"net"
	"sync"
)

// door is a net.Listener that can be shut and opened again: a Service whose last endpoint is gone refuses new connections
// and does not end those it has.
type door struct {
	mu     sync.Mutex
	inner  net.Listener // nil while it is shut
	turned chan struct{}
	closed bool
}

func newDoor(inner net.Listener) *door { return &door{inner: inner, turned: make(chan struct{})} }

// open makes Accept go on with a listener.
func (d *door) open(inner net.Listener) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = inner.Close()
		return
	}
	d.turn(inner)
}

// shut closes the listener. Accept waits for the next.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn(nil)
}

// turn replaces the listener; the lock is held.
func (d *door) turn(inner net.Listener) {
	before := d.inner
	d.inner = inner
	close(d.turned) // first, so that Accept knows why it fails
	d.turned = make(chan struct{})
	if before != nil {
		_ = before.Close()
	}
}

// isShut tells whether nobody is let in.
func (d *door) isShut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inner == nil
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	for {
		d.mu.Lock()
		inner, turned, closed := d.inner, d.turned, d.closed
		d.mu.Unlock()
		if closed {
			return nil, net.ErrClosed
		}
		if inner == nil {
			<-turned
			continue
		}
		conn, err := inner.Accept()
		if err == nil {
			return conn, nil
		}
		select {
		case <-turned: // that is why
		default:
			return nil, err
		}
	}
}

// Close implements net.Listener.
func (d *door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return net.ErrClosed
	}
	d.closed = true
	d.turn(nil)
	return nil
}

// Addr implements net.Listener.
func (d *door) Addr() net.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil {
		return &net.TCPAddr{}
	}
	return d.inner.Addr()
}
