package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// seen is a request as a pod receives it.
type seen struct {
	header http.Header
	host   string
	target string
	close  bool
}

// spy routes to one pod that reports its requests.
func spy(r *rig) <-chan seen {
	requests := make(chan seen, 100)
	r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) {
		requests <- seen{header: q.Header, host: q.Host, target: q.RequestURI, close: q.Close}
	})
	r.route(nil, "10.0.0.1:80")
	return requests
}

// Backends trust these fields because the proxy sets them. A client's values must never reach them.
func TestForwardedHeadersCannotBeForged(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	request := r.request(http.MethodGet, "/", nil)
	for _, name := range []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Scheme", "X-Forwarded-Prefix",
		"X-Real-Ip", "X-Scheme", "X-Original-Forwarded-For", "Forwarded", "Proxy",
		// CGI, WSGI and PHP treat these as the fields above.
		"X_Forwarded_For", "X-Forwarded_For", "X_Real_IP", "X.Forwarded.For",
	} {
		request.Header[name] = []string{"6.6.6.6"}
	}
	request.Header["x-forwarded-for"] = []string{"6.6.6.6"}
	r.do(request)
	got := <-requests
	port := r.address[strings.LastIndexByte(r.address, ':')+1:]
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Host": host, "X-Forwarded-Port": port,
		"X-Forwarded-Proto": "http", "X-Forwarded-Scheme": "http", "X-Scheme": "http",
	} {
		if values := got.header.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("%s: %q, want %q", name, values, want)
		}
		delete(got.header, name)
	}
	for name, values := range got.header {
		if strings.Contains(strings.Join(values, " "), "6.6.6.6") {
			t.Errorf("%s: %q was forwarded", name, values)
		}
	}
}

// "Connection: X-Real-IP" asks a proxy to remove X-Real-IP before the next hop (RFC 9110, 7.6.1).
// It is a known attack: the backend then believes that there is no proxy.
func TestConnectionHeaderCannotRemoveProxyFields(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	request := r.request(http.MethodGet, "/", nil)
	request.Header.Set("Connection", "X-Real-IP, X-Forwarded-For, X-Request-ID, X-Secret, close")
	request.Header.Set("X-Secret", "for the proxy only")
	request.Header.Set("Keep-Alive", "timeout=5")
	request.Header.Set("Proxy-Authorization", "Basic eA==")
	r.do(request)
	got := <-requests
	for _, name := range []string{"X-Real-Ip", "X-Forwarded-For", "X-Request-Id"} {
		if got.header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"X-Secret", "Keep-Alive", "Proxy-Authorization", "Connection"} {
		if got.header.Get(name) != "" {
			t.Errorf("%s: %q was forwarded", name, got.header.Get(name))
		}
	}
	if got.close {
		t.Error("the client's \"close\" closed the connection to the endpoint")
	}
}

func TestRequestID(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	for _, test := range []struct {
		name string
		ids  []string
		kept bool
	}{
		{"valid", []string{"abc-123/x"}, true},
		{"none", nil, false},
		{"two", []string{"a", "b"}, false},
		{"with blanks", []string{"a b"}, false},
		{"with markup", []string{"<b>"}, false},
		{"too long", []string{strings.Repeat("a", 129)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := r.request(http.MethodGet, "/", nil)
			request.Header["X-Request-Id"] = test.ids
			r.do(request)
			got := (<-requests).header.Values("X-Request-Id")
			if len(got) != 1 || (got[0] == strings.Join(test.ids, "")) != test.kept {
				t.Errorf("forwarded %q, want kept %t", got, test.kept)
			}
			if record := r.record(); record.RequestID != got[0] {
				t.Errorf("recorded %q, forwarded %q", record.RequestID, got[0])
			}
		})
	}
}

func TestHostIsForwardedUnchanged(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	for _, sent := range []string{"shop.test", "SHOP.Test:8080", "shop.test."} {
		request := r.request(http.MethodGet, "/", nil)
		request.Host = sent
		r.do(request)
		if got := <-requests; got.host != sent || got.header.Get("X-Forwarded-Host") != sent {
			t.Errorf("host %q became %q and %q", sent, got.host, got.header.Get("X-Forwarded-Host"))
		}
	}
}

// A proxy that normalizes paths breaks signatures, and routes another path than the backend gets.
func TestPathIsForwardedUnchanged(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	for _, target := range []string{
		"/", "/a%7Eb", "/a~b", "/%61", "/a%20b", "/caf%C3%A9", "/caf%c3%a9", "/a;b=c", "/a,b",
		"/a:b", "/a'b", `/a"b`, "/a|b", "/{a}", "/a!$&()*+,=@",
		"/?", "/?a;b", "/?a=%zz", "/?a=b&&c", "/?a=b?c", "/?q=/../x", "/a?%2F", "/a/", "/a+b", "/%E2%82%AC/x",
	} {
		reply := r.raw("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(reply, "HTTP/1.1 200 ") {
			t.Errorf("%s: %s", target, firstLine(reply))
			continue
		}
		if got := <-requests; got.target != target {
			t.Errorf("%s became %s", target, got.target)
		}
	}
}

func TestAbsoluteFormIsParsed(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	reply := r.raw("GET http://" + host + "/a%7Eb?c HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(reply, "HTTP/1.1 200 ") {
		t.Fatalf("response: %s", reply)
	}
	if got := <-requests; got.target != "/a%7Eb?c" || got.host != host {
		t.Errorf("forwarded %s for %s", got.target, got.host)
	}
}

// Requests on a connection after an upgrade to h2c would bypass the routing table.
func TestUpgradeToH2CIsRemoved(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	request := r.request(http.MethodGet, "/", nil)
	request.Header.Set("Connection", "Upgrade, HTTP2-Settings")
	request.Header.Set("Upgrade", "h2c")
	request.Header.Set("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")
	if response, _ := r.do(request); response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
	got := <-requests
	for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
		if got.header.Get(name) != "" {
			t.Errorf("%s: %q was forwarded", name, got.header.Get(name))
		}
	}
}
