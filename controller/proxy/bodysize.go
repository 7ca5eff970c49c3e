package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// errBodyTooLarge ends a body that turns out to be too large while it is read.
var errBodyTooLarge = errors.New("request body is larger than the route allows")

// checkBody refuses a body that is too large (Policy.Proxy.BodySize): at once if the client says how large it is, so that
// one who asks with "Expect: 100-continue" never begins, and otherwise while it is read.
func (s *Server) checkBody(x *exchange) (done bool) {
	if x.decision.Policy == nil || x.request.ContentLength == 0 {
		return false
	}
	limit := x.decision.Policy.Proxy.BodySize
	if limit <= 0 {
		return false
	}
	if x.request.ContentLength > limit {
		x.response.linger()
		s.refuse(x, &refusal{
			status: http.StatusRequestEntityTooLarge, clientError: true, hangUp: true,
			reason: fmt.Sprintf("the request body has %d bytes, at most %d are allowed here", x.request.ContentLength, limit),
		})
		return true
	}
	if x.request.ContentLength < 0 {
		x.request.Body = &limitedBody{ReadCloser: x.request.Body, left: limit}
	}
	return false
}

// linger has net/http wait a moment between the answer and the end of the connection. A client that is still sending would
// otherwise have its answer swept away by a reset (RFC 9112, 9.6). Only http.MaxBytesReader can ask for that, so it gets to
// see a body that is too large: one byte where none is allowed. Over HTTP/2 it does nothing, and nothing is needed.
func (w *responseWriter) linger() {
	_, _ = http.MaxBytesReader(w.ResponseWriter, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 2))
}

// limitedBody ends with errBodyTooLarge after what is left. Nobody gets to see more, whether the body is passed on as it
// comes or is read ahead.
type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader. It asks for one byte more than may come, which tells a body that is too large from one that
// just fits.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errBodyTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), errBodyTooLarge
		b.left = -1
		return n, err
	}
	b.left -= int64(n)
	return n, err
}
