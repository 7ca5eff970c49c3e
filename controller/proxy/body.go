package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// clientBody is the body of the client's request. All tries of an exchange share it; once a try has
// read from it, no other try can use it.
type clientBody struct {
	source  io.Reader
	control *http.ResponseController
	// from and to hold the received and the forwarded trailer fields; see outgoingTrailer.
	from *http.Request
	to   http.Header

	touched atomic.Bool
	reading atomic.Bool
	count   atomic.Int64
	err     atomic.Pointer[error] // the error that ended the body early, or nil
}

// errAbandoned is the error of reading a body after its try ended.
var errAbandoned = errors.New("request body read after the try ended")

// read reads from the client, which has clientTimeout for each read.
func (b *clientBody) read(p []byte) (int, error) {
	b.touched.Store(true)
	b.reading.Store(true)
	defer b.reading.Store(false)
	_ = b.control.SetReadDeadline(time.Now().Add(clientTimeout)) // only connections in tests have no deadlines
	n, err := b.source.Read(p)
	b.count.Add(int64(n))
	switch {
	case errors.Is(err, io.EOF):
		// net/http now reads from the connection to detect that the client disconnected. Without
		// this reset, it would treat the read deadline as a disconnect.
		_ = b.control.SetReadDeadline(time.Time{})
		for name := range b.to {
			b.to[name] = b.from.Trailer[name]
		}
	case err != nil:
		b.err.Store(&err)
	}
	return n, err
}

// failure returns the error that ended the body early, or nil.
func (b *clientBody) failure() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

// abandon ends a read that still waits for the client after the response is complete.
func (b *clientBody) abandon() {
	if b.reading.Load() {
		_ = b.control.SetReadDeadline(time.Unix(1, 0))
	}
}

// tryBody is the body as one try reads it. The transport closes it when the try fails. The client's
// body stays open, so another try can read it.
type tryBody struct {
	body   *clientBody
	try    *attempt
	closed atomic.Bool
}

// Read implements io.Reader. While it waits for the client, the upload timeout is stopped.
func (b *tryBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, errAbandoned
	}
	b.try.upload.stop()
	n, err := b.body.read(p)
	if err == nil || errors.Is(err, io.EOF) {
		b.try.upload.arm(b.try.timeouts.Send, errSendTimeout)
	}
	return n, err
}

// Close implements io.Closer.
func (b *tryBody) Close() error {
	b.closed.Store(true)
	return nil
}

func newClientBody(x *exchange, out *http.Request) *clientBody {
	// Without full duplex, net/http reads the rest of the body before it writes the first byte of a
	// response. That would block an endpoint that responds while it reads
	// (https://go.dev/issue/57786).
	_ = x.response.control.EnableFullDuplex() // HTTP/2 is always full duplex and returns an error here
	out.Trailer = outgoingTrailer(x.request.Trailer)
	x.dropAuthHeaders(out.Trailer)
	return &clientBody{source: out.Body, control: x.response.control, from: x.request, to: out.Trailer}
}

// unreadBodyTimeout bounds the time for reading the rest of an unused body.
const unreadBodyTimeout = 5 * time.Second

// boundUnreadBody bounds the time that net/http spends on an unread body. After the response, net/http
// reads part of the body to find the next request, without a timeout of its own. With "Expect:
// 100-continue", a client that got a final response sends no body.
func (x *exchange) boundUnreadBody() {
	if x.body != nil || x.request.ContentLength == 0 || x.response.status == http.StatusSwitchingProtocols {
		return
	}
	until := time.Now().Add(unreadBodyTimeout)
	if x.request.Header.Get("Expect") != "" {
		until = time.Unix(1, 0)
	}
	_ = x.response.control.SetReadDeadline(until)
}
