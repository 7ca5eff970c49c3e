package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// errBodyTooLarge is the read error of a body that exceeds the limit of the route.
var errBodyTooLarge = errors.New("request body exceeds the route's limit")

// checkBody refuses a body that is too large (Policy.Proxy.BodySize). A large Content-Length is
// refused before the body is read, so a client with "Expect: 100-continue" doesn't send it. Other
// bodies are checked as they are read.
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
			status: http.StatusRequestEntityTooLarge, clientError: true, closeConn: true,
			reason: fmt.Sprintf("the request body has %d bytes; the route allows at most %d", x.request.ContentLength, limit),
		})
		return true
	}
	if x.request.ContentLength < 0 {
		x.request.Body = &limitedBody{ReadCloser: x.request.Body, left: limit}
	}
	return false
}

// linger makes net/http wait between the response and the end of the connection. Otherwise, a TCP
// reset could discard the response of a client that is still sending (RFC 9112, 9.6). Only
// http.MaxBytesReader can request the wait, so linger gives it a body that exceeds its limit: one
// byte with a limit of zero. HTTP/2 needs no wait, and linger does nothing there.
func (w *responseWriter) linger() {
	_, _ = http.MaxBytesReader(w.ResponseWriter, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 2))
}

// limitedBody returns errBodyTooLarge after the remaining bytes. Readers never get more than the
// limit.
type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader. It requests one byte above the limit, to distinguish a body that is
// too large from one of exactly the maximum size.
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
