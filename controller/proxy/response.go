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

// serverName is the Server field of responses without one.
const serverName = "ingresslab"

// clientTimeout bounds the wait for a client between two reads of the body or two writes of the
// response (ingress-nginx: client-body-timeout, send_timeout; both 60 s).
const clientTimeout = 60 * time.Second

// responseWriter forwards a response and collects what the record needs.
type responseWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	conn    *strictConn // nil over HTTP/2
	status  int
	bytes   int64
	// hsts is the Strict-Transport-Security field. It is empty if the field is not sent.
	hsts string
	// length is the value of Content-Length, or -1 without that field.
	length int64
	// pace limits the speed. It is nil if there is no limit. ctx ends with the request.
	pace *pace
	ctx  context.Context
}

func (w *responseWriter) init(ctx context.Context, to http.ResponseWriter) {
	w.ResponseWriter = to
	w.control = http.NewResponseController(to)
	w.conn = strictConnOf(ctx)
	w.ctx = ctx
}

// WriteHeader stores the status, unless it is informational: a final status follows.
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

// Write forwards bytes, at the speed limit of the route.
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

// write sets a deadline for each write. Without it, a client that stops reading would hold an
// endpoint's connection forever. Each write is flushed, except for the last, which net/http
// flushes. So the client gets bytes as the endpoint sends them, whether or not the length is known.
func (w *responseWriter) write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(clientTimeout)) // only connections in tests have no deadlines
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	if err == nil && (w.bytes < w.length || w.pace != nil) {
		err = w.control.Flush()
	}
	return n, err
}

// Hijack takes over the connection for an upgrade. The bytes that follow are not HTTP, so the
// framing check stops.
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

// Unwrap gives http.ResponseController access to flushing and deadlines.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// buffers reuses the engine's copy buffers.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }

// finishHeader completes the header of an endpoint's response. After an error, the engine calls
// answerFailure.
func (s *Server) finishHeader(response *http.Response) error {
	x := exchangeOf(response.Request.Context())
	if x.wantsErrorPage(response.StatusCode) {
		return &interceptedError{response.StatusCode}
	}
	if len(response.Header["Server"]) == 0 {
		response.Header.Set("Server", serverName)
	}
	if s.draining.Load() && response.StatusCode != http.StatusSwitchingProtocols {
		response.Header.Set("Connection", "close") // over HTTP/2, net/http sends GOAWAY instead
	}
	x.rewriteLocation(response.Header)
	x.rewriteCookies(response.Header)
	x.response.pace = x.newPace()
	s.explainTo(response.Header, x)
	x.addRouteHeaders(response.Header, response.StatusCode)
	x.keepSession(response.Header)
	return nil
}
