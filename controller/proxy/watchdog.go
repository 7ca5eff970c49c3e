package proxy

import (
	"io"
	"sync"
	"time"
)

// watchdog calls expire unless it is stopped in time. The zero value with expire set is ready to
// use.
type watchdog struct {
	expire func(cause error)

	mu    sync.Mutex
	timer *time.Timer
	cause error
	armed bool
}

// arm restarts the timer; when it fires, expire is called with cause.
func (w *watchdog) arm(after time.Duration, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.cause = true, cause
	if w.timer == nil {
		w.timer = time.AfterFunc(after, w.fire)
	} else {
		w.timer.Reset(after)
	}
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watchdog) fire() {
	w.mu.Lock()
	armed, cause := w.armed, w.cause
	w.armed = false
	w.mu.Unlock()
	if armed {
		w.expire(cause)
	}
}

// tunnel is an upgraded connection to an endpoint. It is closed after the read timeout without
// traffic in either direction. ingress-nginx only counts the endpoint's traffic, and disconnects
// clients that only send.
type tunnel struct {
	io.ReadWriteCloser
	idle    watchdog
	timeout time.Duration
}

func newTunnel(conn io.ReadWriteCloser, timeout time.Duration) *tunnel {
	t := &tunnel{ReadWriteCloser: conn, timeout: timeout}
	t.idle.expire = func(error) { _ = conn.Close() }
	t.idle.arm(timeout, errReadTimeout)
	return t
}

// Read implements io.Reader.
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(p)
	t.idle.arm(t.timeout, errReadTimeout)
	return n, err
}

// Write implements io.Writer.
func (t *tunnel) Write(p []byte) (int, error) {
	t.idle.arm(t.timeout, errReadTimeout)
	return t.ReadWriteCloser.Write(p)
}

// Close implements io.Closer.
func (t *tunnel) Close() error {
	t.idle.stop()
	return t.ReadWriteCloser.Close()
}
