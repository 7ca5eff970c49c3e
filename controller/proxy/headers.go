package proxy

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// rewrite turns the client's request into the one for the endpoint. The engine has removed the hop-by-hop fields, those
// that Connection names among them; what is set here is set afterwards, so that "Connection: X-Real-IP" removes nothing.
func rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In.Context())
	out := pr.Out
	out.URL = outgoingURL(x.target, pr.In.URL)
	out.Host = pr.In.Host
	dropUntrusted(out.Header)
	x.setForwarded(out.Header)
	x.setAuthHeaders(out.Header)
	dropH2C(out.Header)
	if out.Body != nil {
		x.body = newClientBody(x, out)
	}
}

// outgoingURL makes a URL that is written to the wire exactly as the client wrote it. url.URL would normalize the
// escapes of a path; Opaque is written as it is. Only what begins with two slashes cannot be opaque (it would be taken for
// an authority): there, bytes that RFC 3986 does not allow in a path come out escaped.
func outgoingURL(target string, in *url.URL) *url.URL {
	out := &url.URL{Scheme: "http", RawQuery: in.RawQuery, ForceQuery: in.ForceQuery}
	if strings.HasPrefix(target, "//") {
		out.Path, out.RawPath = in.Path, target
	} else {
		out.Opaque = target
	}
	return out
}

// dropUntrusted removes what a client has no business to say. Back-ends read X-Forwarded-* and its kin as the word of the
// proxy in front of them. Names with anything but letters, digits and hyphens go too, as ingress-nginx does by default:
// CGI, WSGI and PHP turn X-Forwarded-For and X_Forwarded_For into the same variable.
func dropUntrusted(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") || !plainName(name) {
			delete(h, name)
		}
	}
	for _, name := range []string{
		"Forwarded", // RFC 7239
		"X-Original-Forwarded-For",
		"X-Real-Ip",
		"X-Scheme",
		"Proxy", // https://httpoxy.org
	} {
		delete(h, name)
	}
}

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// setForwarded says where the request came from. The client's own claims are gone at this point.
func (x *exchange) setForwarded(h http.Header) {
	scheme := "http"
	if x.request.TLS != nil {
		scheme = "https"
	}
	h["X-Forwarded-For"] = []string{x.record.Client}
	h["X-Real-Ip"] = []string{x.record.Client}
	h["X-Forwarded-Host"] = []string{x.request.Host}
	h["X-Forwarded-Proto"] = []string{scheme}
	h["X-Forwarded-Scheme"] = []string{scheme}
	h["X-Scheme"] = []string{scheme}
	h["X-Request-Id"] = []string{x.record.RequestID}
	if local, ok := x.request.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, port, err := net.SplitHostPort(local.String()); err == nil {
			h["X-Forwarded-Port"] = []string{port}
		}
	}
}

// dropH2C does not pass on the wish to speak HTTP/2 from here on: behind such a connection requests would travel that
// nobody has decided about (RFC 9113 has withdrawn it).
func dropH2C(h http.Header) {
	if httpguts.HeaderValuesContainsToken(h["Upgrade"], "h2c") {
		delete(h, "Upgrade")
		delete(h, "Connection")
	}
	delete(h, "Http2-Settings")
}

// removeHopByHop removes what is about one connection, for requests that do not go through the engine, which does the same
// (RFC 9110, 7.6.1).
func removeHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for name := range h {
		if framesMessage(name) {
			delete(h, name)
		}
	}
}

// outgoingTrailer prepares the announced trailer fields that may pass; nil when there are none. Their values arrive after
// the body.
func outgoingTrailer(in http.Header) http.Header {
	if len(in) == 0 {
		return nil
	}
	out := make(http.Header, len(in))
	for name := range in {
		out[name] = nil
	}
	dropUntrusted(out)
	delete(out, "X-Request-Id")
	return out
}
