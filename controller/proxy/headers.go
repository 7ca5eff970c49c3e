package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// rewrite turns the client's request into the one for the endpoint. The engine has removed the hop-by-hop fields, those
// that Connection names among them; what is set here is set afterwards, so that "Connection: X-Real-IP" removes nothing.
func rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In.Context())
	out := pr.Out
	out.URL = x.outgoingURL(pr.In.URL)
	out.Host = pr.In.Host
	if x.decision.Host != "" {
		out.Host = x.decision.Host
	}
	if x.trusted {
		keepForwarded(out.Header, pr.In.Header)
	} else {
		dropForwarded(out.Header)
	}
	dropUntrusted(out.Header)
	x.setForwarded(out.Header)
	x.setAuthHeaders(out.Header)
	x.setClientCertificate(out.Header)
	if status := x.decision.Unavailable; status != 0 {
		x.setErrorHeaders(out.Header, status)
	}
	dropH2C(out.Header)
	if out.Body != nil {
		x.body = newClientBody(x, out)
	}
}

// outgoingURL makes a URL that is written to the wire exactly as the client wrote it, or as the decision rewrites it.
// url.URL would normalize the escapes of a path; Opaque is written as it is. Only what begins with two slashes cannot be
// opaque (it would be taken for an authority): there, bytes that RFC 3986 does not allow in a path come out escaped.
func (x *exchange) outgoingURL(in *url.URL) *url.URL {
	out := &url.URL{Scheme: "http", RawQuery: in.RawQuery, ForceQuery: in.ForceQuery}
	if x.decision.Path != "" {
		path, query, found := strings.Cut(x.decision.Path, "?")
		if found { // the client's own query is in it, or is not wanted
			out.RawQuery, out.ForceQuery = query, false
		}
		out.Opaque = path
		return out
	}
	if strings.HasPrefix(x.target, "//") {
		out.Path, out.RawPath = in.Path, x.target
	} else {
		out.Opaque = x.target
	}
	return out
}

// dropForwarded removes what back-ends read as the word of the proxy in front of them.
func dropForwarded(h http.Header) {
	delete(h, "X-Original-Forwarded-For")
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") {
			delete(h, name)
		}
	}
}

// keepForwarded leaves X-Forwarded-* of a trusted proxy as it is, except for what we say ourselves. The engine has dropped
// some of it. The whole chain of addresses goes on under the name that ingress-nginx gives it.
func keepForwarded(out, in http.Header) {
	if host := in["X-Forwarded-Host"]; len(host) == 1 && validHost(host[0]) {
		out["X-Forwarded-Host"] = host
	}
	delete(out, "X-Original-Forwarded-For")
	if chain := in["X-Forwarded-For"]; len(chain) > 0 {
		out["X-Original-Forwarded-For"] = []string{strings.Join(chain, ", ")}
	}
}

// dropUntrusted removes what a client has no business to say, trusted or not. Names with anything but letters, digits
// and hyphens go too, as ingress-nginx does by default: CGI, WSGI and PHP turn X-Forwarded-For and X_Forwarded_For into the
// same variable.
func dropUntrusted(h http.Header) {
	for name := range h {
		if !plainName(name) || strings.HasPrefix(name, "Ssl-Client-") {
			delete(h, name)
		}
	}
	for _, name := range ourNames {
		delete(h, name)
	}
}

// ourNames are for a proxy to use.
var ourNames = []string{
	"Forwarded", // RFC 7239
	"X-Real-Ip",
	"X-Scheme",
	"X-Original-Method",
	"X-Original-Uri",
	// Some frameworks take these for the path, and would serve another one than was decided about (CVE-2018-14773).
	"X-Original-Url",
	"X-Rewrite-Url",
	"Proxy", // https://httpoxy.org
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
	if x.secure {
		scheme = "https"
	}
	// One array for all: a request has enough allocations.
	values := [...]string{x.record.Client, scheme, x.request.Host, x.record.RequestID, strconv.Itoa(x.port)}
	h["X-Forwarded-For"] = values[0:1:1]
	h["X-Real-Ip"] = values[0:1:1]
	h["X-Forwarded-Proto"] = values[1:2:2]
	h["X-Forwarded-Scheme"] = values[1:2:2]
	h["X-Scheme"] = values[1:2:2]
	if h["X-Forwarded-Host"] == nil {
		h["X-Forwarded-Host"] = values[2:3:3]
	}
	h["X-Request-Id"] = values[3:4:4]
	if x.port != 0 {
		h["X-Forwarded-Port"] = values[4:5:5]
	}
	if policy := x.decision.Policy; policy != nil && !policy.Rewrite.ForwardedPrefix.IsZero() {
		h["X-Forwarded-Prefix"] = []string{oneLine(x.expand(policy.Rewrite.ForwardedPrefix))}
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
	dropForwarded(out)
	dropUntrusted(out)
	delete(out, "X-Request-Id")
	return out
}
