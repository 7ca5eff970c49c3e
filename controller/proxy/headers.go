package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// rewrite makes the endpoint's request from the client's. The engine has already removed the
// hop-by-hop fields and the fields listed in Connection. Fields are set afterwards, so "Connection:
// X-Real-IP" can't remove them.
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

// outgoingURL returns a URL that is written to the connection exactly as the client sent it, or as
// the decision rewrites it. url.URL would normalize the escapes of a path; Opaque is written
// unchanged. A path with two leading slashes can't be opaque (it would be parsed as an authority).
// Bytes in such a path that RFC 3986 doesn't allow are escaped.
func (x *exchange) outgoingURL(in *url.URL) *url.URL {
	out := &url.URL{Scheme: "http", RawQuery: in.RawQuery, ForceQuery: in.ForceQuery}
	if x.decision.Path != "" {
		path, query, found := strings.Cut(x.decision.Path, "?")
		if found { // the rewrite contains the client's query, or drops it
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

// dropForwarded removes the fields that backends trust as set by the proxy.
func dropForwarded(h http.Header) {
	delete(h, "X-Original-Forwarded-For")
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") {
			delete(h, name)
		}
	}
}

// keepForwarded keeps X-Forwarded-* of a trusted proxy, except for fields that this proxy sets. The
// engine has dropped some of them. The chain of addresses is forwarded in ingress-nginx's field
// X-Original-Forwarded-For.
func keepForwarded(out, in http.Header) {
	if host := in["X-Forwarded-Host"]; len(host) == 1 && validHost(host[0]) {
		out["X-Forwarded-Host"] = host
	}
	delete(out, "X-Original-Forwarded-For")
	if chain := in["X-Forwarded-For"]; len(chain) > 0 {
		out["X-Original-Forwarded-For"] = []string{strings.Join(chain, ", ")}
	}
}

// dropUntrusted removes fields that no client can set, trusted or not. Names with characters other
// than letters, digits and hyphens are removed too, as ingress-nginx does by default: CGI, WSGI and
// PHP map X-Forwarded-For and X_Forwarded_For to the same variable.
func dropUntrusted(h http.Header) {
	for name := range h {
		if !plainName(name) || strings.HasPrefix(name, "Ssl-Client-") {
			delete(h, name)
		}
	}
	for _, name := range proxyFields {
		delete(h, name)
	}
}

// proxyFields are fields that only a proxy can set.
var proxyFields = []string{
	"Forwarded", // RFC 7239
	"X-Real-Ip",
	"X-Scheme",
	"X-Original-Method",
	"X-Original-Uri",
	// Some frameworks use these fields as the path, and would serve another path than the table
	// routed (CVE-2018-14773).
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

// setForwarded describes the client's connection. The client's own fields are already removed.
func (x *exchange) setForwarded(h http.Header) {
	scheme := "http"
	if x.secure {
		scheme = "https"
	}
	// One array for all values saves allocations.
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

// dropH2C removes the request for an upgrade to HTTP/2: later requests on such a connection would
// bypass the routing table (RFC 9113 removed this upgrade).
func dropH2C(h http.Header) {
	if httpguts.HeaderValuesContainsToken(h["Upgrade"], "h2c") {
		delete(h, "Upgrade")
		delete(h, "Connection")
	}
	delete(h, "Http2-Settings")
}

// removeHopByHop removes the fields of the connection, for requests that don't use the engine,
// which does the same (RFC 9110, 7.6.1).
func removeHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for name := range h {
		if isFramingField(name) {
			delete(h, name)
		}
	}
}

// outgoingTrailer returns the announced trailer fields to forward, or nil if there are none. Their
// values arrive after the body.
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

// maxRequestID is the maximum length of a client's request ID.
const maxRequestID = 128

// requestID returns the client's X-Request-ID if there is exactly one and it is safe in a log, a
// header and a page. Otherwise it generates an ID of 32 hexadecimal digits, as ingress-nginx does.
func requestID(h http.Header) string {
	if ids := h["X-Request-Id"]; len(ids) == 1 && validRequestID(ids[0]) {
		return ids[0]
	}
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	return hex.EncodeToString(raw[:])
}

func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && c != '-' && c != '_' && c != '.' && c != ':' && c != '+' && c != '/' && c != '=' {
			return false
		}
	}
	return true
}
