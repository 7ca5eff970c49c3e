package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// clientBody is the body of the client's request, which all tries of an exchange share: the first one that reads from it
// is the last one that may have it.
type clientBody struct {
	source  io.Reader
	control *http.ResponseController
	// from and to are the trailer fields as they arrive and as they are sent; see outgoingTrailer.
	from *http.Request
	to   http.Header

	touched atomic.Bool
	reading atomic.Bool
	count   atomic.Int64
	err     atomic.Pointer[error] // what ended the body early; nil after a clean end
}

// errAbandoned is what a try reads from a body that is no longer its own.
var errAbandoned = errors.New("request body read after the try ended")

// read reads from the client, who gets clientTimeout for each piece.
func (b *clientBody) read(p []byte) (int, error) {
	b.touched.Store(true)
	b.reading.Store(true)
	defer b.reading.Store(false)
	_ = b.control.SetReadDeadline(time.Now().Add(clientTimeout)) // a connection without deadlines is a test's
	n, err := b.source.Read(p)
	b.count.Add(int64(n))
	switch {
	case errors.Is(err, io.EOF):
		// net/http now waits on the connection to notice a client that goes away; it must not see our deadline as one.
		_ = b.control.SetReadDeadline(time.Time{})
		for name := range b.to {
			b.to[name] = b.from.Trailer[name]
		}
	case err != nil:
		b.err.Store(&err)
	}
	return n, err
}

// failure is what ended the body early, or nil.
func (b *clientBody) failure() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

// abandon ends a read that still waits for the client although the response is complete.
func (b *clientBody) abandon() {
	if b.reading.Load() {
		_ = b.control.SetReadDeadline(time.Unix(1, 0))
	}
}

// tryBody is the body as one try sees it. Closing it, which the transport does when the try fails, leaves the client's
// body alone, so that another try can have it.
type tryBody struct {
	body   *clientBody
	try    *attempt
	closed atomic.Bool
}

// Read implements io.Reader. While we wait for the client, the endpoint is not to blame for the pause.
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
	// Without this, net/http would read the rest of the body before the first byte of a response goes out, and an
	// endpoint that answers while it reads would be held up (https://go.dev/issue/57786).
	_ = x.response.control.EnableFullDuplex() // HTTP/2 is full duplex by itself and says so with an error
	out.Trailer = outgoingTrailer(x.request.Trailer)
	x.dropAuthHeaders(out.Trailer)
	return &clientBody{source: out.Body, control: x.response.control, from: x.request, to: out.Trailer}
}

// restTimeout is how long a client may take for the rest of a body that nobody wants.
const restTimeout = 5 * time.Second

// boundRest bounds the time that net/http spends on a body which nobody has read: it reads a piece of it after the
// answer, to find the next request behind it, and would wait for that for ever. A client that was told no before it was
// told to continue sends nothing at all.
func (x *exchange) boundRest() {
	if x.body != nil || x.request.ContentLength == 0 || x.response.status == http.StatusSwitchingProtocols {
		return
	}
	until := time.Now().Add(restTimeout)
	if x.request.Header.Get("Expect") != "" {
		until = time.Unix(1, 0)
	}
	_ = x.response.control.SetReadDeadline(until)
}
