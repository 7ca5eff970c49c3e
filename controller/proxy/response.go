package proxy

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// serverName is the Server header of responses that come without one.
const serverName = "ingresslab"

// clientTimeout bounds the wait for a client that stopped reading its response or stopped sending its body, between two
// writes or reads (ingress-nginx: client-body-timeout, send_timeout; both 60 s).
const clientTimeout = 60 * time.Second

// responseWriter passes a response on and remembers what the record needs.
type responseWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	conn    *strictConn // nil over HTTP/2
	status  int
	bytes   int64
	// hsts is the Strict-Transport-Security header; empty: none.
	hsts string
	// length is what Content-Length says; -1: nothing.
	length int64
	// pace bounds the speed; nil: nothing does. ctx ends with the request.
	pace *pace
	ctx  context.Context
}

func (w *responseWriter) init(ctx context.Context, to http.ResponseWriter) {
	w.ResponseWriter = to
	w.control = http.NewResponseController(to)
	w.conn = strictConnOf(ctx)
	w.ctx = ctx
}

// WriteHeader notes the status, unless it is an informational one: more follow after those.
func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
		h := w.Header()
		if len(h["Server"]) == 0 {
			h["Server"] = []string{serverName}
		}
		if w.hsts != "" {
			h["Strict-Transport-Security"] = []string{w.hsts}
		}
		w.length = -1
		if length := h["Content-Length"]; len(length) == 1 {
			if n, err := strconv.ParseInt(length[0], 10, 64); err == nil {
				w.length = n
			}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write passes a piece on, at the pace of the route.
func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.pace == nil {
		return w.write(p)
	}
	written := 0
	for written < len(p) {
		n, err := w.pace.next(w.ctx, len(p)-written)
		if err == nil {
			n, err = w.write(p[written : written+n])
		}
		if written += n; err != nil {
			return written, err
		}
	}
	return written, nil
}

// write gives the client a bounded time to take the bytes: without it, one that stops reading would hold an endpoint's
// connection for ever. They go out at once, unless they are the last ones, which net/http sends: a client sees what an
// endpoint has sent so far, whether or not the length of the whole is known.
func (w *responseWriter) write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(clientTimeout)) // a connection without deadlines is a test's
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	if err == nil && (w.bytes < w.length || w.pace != nil) {
		err = w.control.Flush()
	}
	return n, err
}

// Hijack hands the connection over for an upgrade. What follows on it is not HTTP, so the framing check ends here.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.control.Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
		if w.conn != nil {
			w.conn.stopChecking()
		}
	}
	return conn, rw, err
}

// Unwrap lets http.ResponseController reach flushing and deadlines.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// buffers recycles the copy buffers of the engine.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
