package service

import (
	"net"
	"sync"
)

// pausableListener is a net.Listener that can pause: a Service without endpoints refuses new
// connections and keeps the existing ones.
type pausableListener struct {
	mu      sync.Mutex
	inner   net.Listener // nil while paused
	changed chan struct{}
	closed  bool
}

func newPausable(inner net.Listener) *pausableListener {
	return &pausableListener{inner: inner, changed: make(chan struct{})}
}

// resume makes Accept continue with a new listener.
func (p *pausableListener) resume(inner net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = inner.Close()
		return
	}
	p.replace(inner)
}

// pause closes the inner listener. Accept waits until resume or Close.
func (p *pausableListener) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replace(nil)
}

// replace requires the lock.
func (p *pausableListener) replace(inner net.Listener) {
	before := p.inner
	p.inner = inner
	close(p.changed) // before Close, so that Accept knows why it fails
	p.changed = make(chan struct{})
	if before != nil {
		_ = before.Close()
	}
}

func (p *pausableListener) isPaused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inner == nil
}

// Accept implements net.Listener.
func (p *pausableListener) Accept() (net.Conn, error) {
	for {
		p.mu.Lock()
		inner, changed, closed := p.inner, p.changed, p.closed
		p.mu.Unlock()
		if closed {
			return nil, net.ErrClosed
		}
		if inner == nil {
			<-changed
			continue
		}
		conn, err := inner.Accept()
		if err == nil {
			return conn, nil
		}
		select {
		case <-changed: // replace closed the listener
		default:
			return nil, err
		}
	}
}

// Close implements net.Listener.
func (p *pausableListener) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.closed = true
	p.replace(nil)
	return nil
}

// Addr implements net.Listener.
func (p *pausableListener) Addr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inner == nil {
		return &net.TCPAddr{}
	}
	return p.inner.Addr()
}
