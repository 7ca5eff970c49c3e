package proxy

import (
	"net/http"
	"net/textproto"
	"slices"
)

// decorate adds to a response what its route asks for, whoever gives the answer: an endpoint, an error page, or we. It is
// called once the status is known and before the header goes out.
func (x *exchange) decorate(h http.Header, status int) {
	x.setCORS(h)
	x.passAuthCookies(h, status)
	x.setCustomHeaders(h)
}

// setCustomHeaders sets the headers of the annotation custom-headers. They replace an endpoint's own, as
// ingress-nginx has it, and come last: the operator has allowed these names, and the author has written these values.
func (x *exchange) setCustomHeaders(h http.Header) {
	policy := x.decision.Policy
	if policy == nil {
		return
	}
	for name, values := range policy.ResponseHeaders {
		if !framesMessage(name) {
			h[textproto.CanonicalMIMEHeaderKey(name)] = slices.Clone(values) // the policy is shared
		}
	}
}

// framesMessage says whether a header is about the connection or the length of the message, which only whoever writes the
// message knows (RFC 9110, 7.6.1; RFC 9112, 6).
func framesMessage(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Connection", "Content-Length", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te",
		"Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}
