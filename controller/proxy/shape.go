package proxy

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// refusal is an error response that the proxy generates.
type refusal struct {
	status int
	reason string
	// clientError means that the reason concerns only the request, so that the client can always
	// see it.
	clientError bool
	// header has additional response header fields. It can be nil.
	header http.Header
	// closeConn closes the connection, because the start of the next request might be ambiguous.
	closeConn bool
}

func badRequest(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: fmt.Sprintf(format, args...), clientError: true, closeConn: true}
}

// checkShape refuses requests that must not reach a table: ambiguous requests that net/http
// accepts, and the methods CONNECT and TRACE. It returns the path as the client sent it, without
// the query.
func checkShape(r *http.Request) (target string, refused *refusal) {
	if conn := strictConnOf(r.Context()); conn != nil {
		if violation := conn.nextRequest(); violation != "" {
			return "", badRequest("%s", violation)
		}
	}
	switch r.Method {
	case http.MethodConnect, http.MethodTrace:
		// CONNECT would make an open proxy; TRACE would show scripts the forwarded cookies.
		reason := fmt.Sprintf("method %s is not served", r.Method)
		return "", &refusal{status: http.StatusMethodNotAllowed, reason: reason, clientError: true, closeConn: true}
	}
	if r.ProtoMajor == 2 {
		if refused := checkHTTP2(r); refused != nil {
			return "", refused
		}
	}
	if !validHost(r.Host) {
		return "", badRequest("host %q is not a host name or address with an optional port", r.Host)
	}
	if upgrade := r.Header.Get("Upgrade"); !printable(upgrade) {
		return "", badRequest("upgrade header %q contains bytes that are invalid in a protocol name", upgrade)
	}
	return requestTarget(r)
}

// requestTarget returns the path of the request target. The path is the whole target (origin-form)
// or follows the authority (absolute-form, which each server must accept: RFC 9112, 3.2.2).
func requestTarget(r *http.Request) (string, *refusal) {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(target, "/") {
		scheme, rest, found := strings.Cut(target, "://")
		if !found || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return "", badRequest("request target %q is neither a path nor an http URL", r.RequestURI)
		}
		if r.URL.User != nil {
			return "", badRequest("request target contains a user name (RFC 9110, 4.2.4)")
		}
		if r.URL.Host == "" {
			return "", badRequest("request target %q has no host (RFC 9110, 4.2.1)", r.RequestURI)
		}
		_, path, _ := strings.Cut(rest, "/")
		target = "/" + path
	}
	if strings.Contains(r.RequestURI, "#") {
		return "", badRequest("request target contains a fragment, which clients must not send (RFC 9112, 3.2)")
	}
	return target, nil
}

// validHost accepts the hosts that a rule can have, and addresses. RFC 3986 allows more, such as
// "a!$&'(b", but no DNS name looks like that, and backends interpret it differently. Empty is
// valid: HTTP/1.0.
func validHost(host string) bool {
	name := host
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return false
		}
		address, err := netip.ParseAddr(host[1:end])
		if err != nil || !address.Is6() || address.Zone() != "" {
			return false
		}
		return host[end+1:] == "" || host[end+1] == ':' && validPort(host[end+2:])
	}
	if i := strings.IndexByte(host, ':'); i >= 0 {
		if !validPort(host[i+1:]) || i == 0 {
			return false
		}
		name = host[:i]
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// validPort also accepts an empty port: "shop.test:" equals "shop.test" (RFC 3986, 3.2.3).
func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '+'
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// checkHTTP2 refuses HTTP/2 requests that are malformed by RFC 9113 but that net/http serves. The
// endpoint gets them over HTTP/1, and could interpret a repeated host or length differently. Frames
// mark the end of a stream, so the connection stays open.
func checkHTTP2(r *http.Request) *refusal {
	hosts, lengths := r.Header["Host"], r.Header["Content-Length"]
	reason := ""
	switch {
	case !httpguts.ValidHeaderFieldName(r.Method): // a method is a token, like a field name
		reason = "the method is not a token (RFC 9110, 9.1)"
	case !strings.HasPrefix(r.RequestURI, "/"):
		reason = ":path does not begin with a slash (RFC 9113, 8.3.1)"
	case len(hosts) > 1 || len(hosts) == 1 && !strings.EqualFold(hosts[0], r.Host):
		reason = "the Host header differs from :authority (RFC 9113, 8.3.1)"
	case len(lengths) > 1:
		reason = "more than one Content-Length (RFC 9110, 8.6)"
	case len(lengths) == 1:
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil {
			reason = "Content-Length is not a number (RFC 9110, 8.6)"
		} else if int64(n) != r.ContentLength { // 0 if the header ends the stream
			reason = "Content-Length differs from the length of the body (RFC 9113, 8.1.1)"
		}
	}
	if reason == "" {
		return nil
	}
	return &refusal{status: http.StatusBadRequest, reason: reason, clientError: true}
}
