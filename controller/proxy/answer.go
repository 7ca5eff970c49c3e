package proxy

import (
	"net/http"
	"strings"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// answerDecision gives the answers that need no endpoint: refusals, redirects, preflights.
func (s *Server) answerDecision(x *exchange) (done bool) {
	switch x.decision.Action {
	case routing.Forward:
		return false
	case routing.Redirect:
		s.redirect(x, x.decision.Status, x.decision.Location, x.decision.Reason)
	case routing.Preflight:
		s.answerPreflight(x)
	default:
		s.refuse(x, &refusal{status: x.decision.Status, reason: x.decision.Reason})
	}
	return true
}

// redirect sends the client elsewhere. Whether the answer may be kept is a matter of its status: 301 and 308 may, 302, 303
// and 307 may not unless a header allows it (RFC 9110, 15.4), and none does.
func (s *Server) redirect(x *exchange, status int, location, reason string) {
	x.record.Reason = reason
	h := x.response.Header()
	s.ownHeader(h, x, status)
	h.Set("Location", uriBytes(location))
	writePage(x, status, "")
}

// answerPreflight tells a browser what a script may send. The answer is the same whoever asks, and so it comes before
// authentication: browsers send preflights without credentials.
func (s *Server) answerPreflight(x *exchange) {
	h := x.response.Header()
	s.ownHeader(h, x, http.StatusNoContent)
	x.response.WriteHeader(http.StatusNoContent) // without Content-Length: RFC 9110, 8.6
}

// ownHeader is the header of every response that we give ourselves.
func (s *Server) ownHeader(h http.Header, x *exchange, status int) {
	s.explainTo(h, x)
	if s.draining.Load() {
		h.Set("Connection", "close")
	}
	h.Set("X-Request-Id", x.record.RequestID)
	x.decorate(h, status)
}

// uriBytes escapes what must not be in a URI (RFC 3986, 2): control bytes, spaces, and everything beyond ASCII. A value that
// was put together from a request can so never end its header field.
func uriBytes(s string) string {
	clean := true
	for i := range len(s) {
		clean = clean && s[i] > ' ' && s[i] < 0x7f
	}
	if clean {
		return s
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
