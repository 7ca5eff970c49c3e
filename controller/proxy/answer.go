package proxy

import (
	"net/http"
	"strings"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// answerDecision answers requests that need no endpoint: refusals, redirects, CORS preflights.
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

// redirect sends a redirect. By default, caches can store 301 and 308; they store 302, 303 and 307
// only if a header allows it (RFC 9110, 15.4). The proxy sends no such header.
func (s *Server) redirect(x *exchange, status int, location, reason string) {
	x.record.Reason = reason
	h := x.response.Header()
	s.setOwnHeader(h, x, status)
	h.Set("Location", uriBytes(location))
	writePage(x, status, "")
}

// answerPreflight answers a CORS preflight. It runs before authentication, because browsers send
// preflights without credentials.
func (s *Server) answerPreflight(x *exchange) {
	h := x.response.Header()
	s.setOwnHeader(h, x, http.StatusNoContent)
	x.response.WriteHeader(http.StatusNoContent) // without Content-Length: RFC 9110, 8.6
}

// setOwnHeader sets the header fields of each response that the proxy generates.
func (s *Server) setOwnHeader(h http.Header, x *exchange, status int) {
	s.explainTo(h, x)
	if s.draining.Load() {
		h.Set("Connection", "close")
	}
	h.Set("X-Request-Id", x.record.RequestID)
	x.addRouteHeaders(h, status)
}

// uriBytes escapes bytes that a URI must not contain (RFC 3986, 2): control bytes, spaces, and
// bytes beyond ASCII. A value built from a request can therefore never end its header field.
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
