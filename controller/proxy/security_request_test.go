package proxy_test

import (
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// refused sends each request to a proxy with one pod. It fails if the response isn't a 4xx or 5xx
// of the proxy, or if the pod gets the request.
func refused(t *testing.T, want string, requests map[string]string) {
	t.Helper()
	r := newRig(t, proxy.Options{})
	reached := spy(r)
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			reply := r.raw(request)
			if status := firstLine(reply); !strings.HasPrefix(status, "HTTP/1.1 "+want) || strings.Count(reply, "HTTP/1.1 ") != 1 {
				t.Errorf("response %q, want %s and no more:\n%s", status, want, reply)
			}
			select {
			case got := <-reached:
				t.Errorf("reached the pod: %s %v", got.target, got.header)
			default:
			}
		})
	}
}

// Programs disagree about fields with an invalid name or with control bytes in the value (RFC 9110,
// 5.1 and 5.5).
func TestInvalidHeadersAreRefused(t *testing.T) {
	const start = "GET / HTTP/1.1\r\nHost: shop.test\r\n"
	refused(t, "400", map[string]string{
		"name with parenthesis": start + "X(A): 1\r\n\r\n",
		"name with slash":       start + "X/A: 1\r\n\r\n",
		"name with quote":       start + "\"X\": 1\r\n\r\n",
		"name beyond ASCII":     start + "X-\xc3\xa9: 1\r\n\r\n",
		"name with NUL":         start + "X-\x00A: 1\r\n\r\n",
		"name with control":     start + "X-\x01A: 1\r\n\r\n",
		"name with CR":          start + "X-A\rHost: 1\r\n\r\n",
		"tab before colon":      start + "Content-Length\t: 3\r\n\r\nabc",
		"blank before name":     "GET / HTTP/1.1\r\n Host: shop.test\r\n\r\n",
		"value with control":    start + "X-A: 1\x012\r\n\r\n",
		"value with DEL":        start + "X-A: 1\x7f2\r\n\r\n",
		"value with VT":         start + "X-A: 1\x0b2\r\n\r\n",
		"value with ESC":        start + "X-A: \x1b[31m\r\n\r\n",
		"value with NUL at end": start + "X-A: 1\x00\r\n\r\n",
		"value with CR CR LF":   start + "X-A: 1\r\r\n\r\n",
		"folded with tab":       start + "X-A: 1\r\n\tX-B: 2\r\n\r\n",
	})
}

// The request line has three parts and two spaces. HTTP/0.9 has no header and thus no host.
func TestInvalidRequestLinesAreRefused(t *testing.T) {
	const end = "\r\nHost: shop.test\r\n\r\n"
	refused(t, "400", map[string]string{
		"HTTP/0.9":             "GET /\r\n\r\n",
		"two blanks":           "GET  / HTTP/1.1" + end,
		"blank at the end":     "GET / HTTP/1.1 " + end,
		"tab":                  "GET\t/ HTTP/1.1" + end,
		"blank in the path":    "GET /a b HTTP/1.1" + end,
		"blank first":          " GET / HTTP/1.1" + end,
		"no path":              "GET HTTP/1.1" + end,
		"method is no token":   "G@T / HTTP/1.1" + end,
		"lower case version":   "GET / http/1.1" + end,
		"version of two parts": "GET / HTTP/1.1.1" + end,
		"version without dot":  "GET / HTTP/11" + end,
		"escape that is none":  "GET /%zz HTTP/1.1" + end,
		"half an escape":       "GET /a% HTTP/1.1" + end,
		"query alone":          "GET ?a HTTP/1.1" + end,
		"authority alone":      "GET shop.test HTTP/1.1" + end,
		"authority and port":   "GET shop.test:80 HTTP/1.1" + end,
		"authority and path":   "GET shop.test/admin HTTP/1.1" + end,
		"bytes beyond ASCII":   "GET /\x00 HTTP/1.1" + end,
		"TLS":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	})
	refused(t, "505", map[string]string{
		"HTTP/0.9 by name": "GET / HTTP/0.9" + end,
		"HTTP/3.0":         "GET / HTTP/3.0" + end,
	})
}

// The host must be the same for the table, for the pod, and in X-Forwarded-Host.
func TestAmbiguousAuthorityIsRefused(t *testing.T) {
	host := func(field string) string { return "GET / HTTP/1.1\r\n" + field + "\r\n\r\n" }
	target := func(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: shop.test\r\n\r\n" }
	refused(t, "400", map[string]string{
		"two equal hosts":            host("Host: shop.test\r\nHost: shop.test"),
		"two hosts of unequal case":  host("Host: shop.test\r\nhOST: shop.test"),
		"blank before the colon":     host("Host : shop.test"),
		"user":                       host("Host: shop.test@other.test"),
		"user and port":              host("Host: shop.test:80@other.test"),
		"fragment":                   host("Host: shop.test#other.test"),
		"query":                      host("Host: shop.test?other.test"),
		"backslash":                  host("Host: shop.test\\other.test"),
		"escape":                     host("Host: shop%2etest"),
		"blank inside":               host("Host: shop.test other.test"),
		"tab inside":                 host("Host: shop.test\tother.test"),
		"port of no number":          host("Host: shop.test:http"),
		"port beyond 65535":          host("Host: shop.test:65536"),
		"port of nothing":            host("Host: shop.test:0"),
		"port with a sign":           host("Host: shop.test:+80"),
		"IPv6 without brackets":      host("Host: ::1"),
		"brackets around a name":     host("Host: [shop.test]"),
		"behind the brackets":        host("Host: [::1]shop.test"),
		"address with a zone":        host("Host: [fe80::1%25eth0]"),
		"beyond ASCII":               host("Host: sh\xc3\xb6p.test"),
		"absolute with a user":       target("http://me@shop.test/"),
		"absolute with a bad port":   target("http://shop.test:99999/"),
		"absolute without a host":    target("http:///admin"),
		"absolute with a backslash":  target("http://other.test\\@shop.test/"),
		"absolute of another scheme": target("gopher://shop.test/"),
		"absolute with one slash":    target("http:/shop.test/"),
		"absolute with a blank host": target("http://%20/"),
		"absolute with escapes":      target("http://shop%2etest/"),
	})
}

// The target's authority takes precedence over the Host field (RFC 9112, 3.2.2). If the pod got the
// Host field, a rule for one host would serve pages of another.
func TestAbsoluteFormOverridesHost(t *testing.T) {
	r := newRig(t, proxy.Options{})
	reached := spy(r)
	for _, c := range []struct{ target, field, status, sees string }{
		{"http://shop.test/a", "other.test", "200", "shop.test"},
		{"HTTP://shop.test:8080/a", "other.test:90", "200", "shop.test:8080"},
		{"https://shop.test/a", "shop.test", "200", "shop.test"}, // the target's scheme doesn't describe the connection
		{"http://other.test/a", "shop.test", "404", ""},
		{"//other.test/a", "shop.test", "200", "shop.test"}, // a path
	} {
		reply := r.raw("GET " + c.target + " HTTP/1.1\r\nHost: " + c.field + "\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(reply, "HTTP/1.1 "+c.status) {
			t.Errorf("%s with Host %s: %s, want %s", c.target, c.field, firstLine(reply), c.status)
			continue
		}
		if c.sees == "" {
			continue
		}
		got := <-reached
		if got.host != c.sees || got.header.Get("X-Forwarded-Host") != c.sees || got.header.Get("X-Forwarded-Proto") != "http" {
			t.Errorf("%s with Host %s: the pod sees %s, %v", c.target, c.field, got.host, got.header)
		}
	}
	if len(reached) > 0 {
		t.Errorf("the pod saw %s more", (<-reached).host)
	}
}

// HTTP/1.0 requires no host, so only rules without a host match such a request.
func TestRequestWithoutHostMatchesNoHost(t *testing.T) {
	r := newRig(t, proxy.Options{})
	reached := spy(r)
	for _, request := range []string{"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"} {
		if reply := r.raw(request); !strings.HasPrefix(reply, "HTTP/1.") || !strings.Contains(firstLine(reply), " 404 ") {
			t.Errorf("%q: %s", request, firstLine(reply))
		}
	}
	if len(reached) > 0 {
		t.Error("the header reached the pod of shop.test")
	}
}

// Valid requests must pass, however unusual: bytes beyond ASCII in a value, any token as a name or
// a method.
func TestUnusualRequestsAreServed(t *testing.T) {
	r := newRig(t, proxy.Options{})
	reached := spy(r)
	reply := r.raw("PURGE / HTTP/1.1\r\nhost: \t shop.test \t \r\nX-Any: a\tb \xff\xfe\r\n" +
		"X!#$%&'*+.^`|~0: 1\r\nX-Empty:\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(reply, "HTTP/1.1 200 ") {
		t.Fatal(reply)
	}
	if got := <-reached; got.header.Get("X-Any") != "a\tb \xff\xfe" || got.host != "shop.test" {
		t.Errorf("the pod sees %q", got.header)
	}
}
