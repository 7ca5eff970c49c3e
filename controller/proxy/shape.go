package proxy

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// refusal is an answer that the proxy gives itself.
type refusal struct {
	status int
	reason string
	// clientError says that the reason is about the request alone, so that the client may always read it.
	clientError bool
	// header is what the answer carries beyond that of every refusal; nil: nothing.
	header http.Header
	// hangUp closes the connection: it may be in doubt where the next request begins on it.
	hangUp bool
}

func badRequest(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: fmt.Sprintf(format, args...), clientError: true, hangUp: true}
}

// checkShape refuses what must not reach a table: requests that net/http accepts although they are ambiguous, and methods
// that mean something to a proxy. It returns the path as the client sent it, without the query.
func checkShape(r *http.Request) (target string, refused *refusal) {
	if conn := strictConnOf(r.Context()); conn != nil {
		if violation := conn.nextRequest(); violation != "" {
			return "", badRequest("%s", violation)
		}
	}
	switch r.Method {
	case http.MethodConnect, http.MethodTrace:
		// CONNECT would make us an open proxy; TRACE would show a script what cookies we pass on.
		reason := fmt.Sprintf("method %s is not served", r.Method)
		return "", &refusal{status: http.StatusMethodNotAllowed, reason: reason, clientError: true, hangUp: true}
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
		return "", badRequest("upgrade header %q holds bytes that no protocol name has", upgrade)
	}
	return requestTarget(r)
}

// requestTarget takes the path from the request line. It is either the whole target (origin-form) or follows the
// authority (absolute-form, which every server must accept: RFC 9112, 3.2.2).
func requestTarget(r *http.Request) (string, *refusal) {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(target, "/") {
		scheme, rest, found := strings.Cut(target, "://")
		if !found || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return "", badRequest("request target %q is neither a path nor an http URL", r.RequestURI)
		}
		if r.URL.User != nil {
			return "", badRequest("request target carries a user name (RFC 9110, 4.2.4)")
		}
		if r.URL.Host == "" {
			return "", badRequest("request target %q names no host (RFC 9110, 4.2.1)", r.RequestURI)
		}
		_, path, _ := strings.Cut(rest, "/")
		target = "/" + path
	}
	if strings.Contains(r.RequestURI, "#") {
		return "", badRequest("request target holds a fragment, which servers never see (RFC 9112, 3.2)")
	}
	return target, nil
}

// validHost accepts what can be in a rule, and addresses. RFC 3986 would allow more, down to "a!$&'(b"; nothing that is
// looked up in DNS has such a name, and back-ends differ in what they make of it. Empty is valid: HTTP/1.0.
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

// validPort accepts an empty port too: "shop.test:" is the same as "shop.test" (RFC 3986, 3.2.3).
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
