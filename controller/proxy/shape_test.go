package proxy_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// raw writes bytes to a new connection, and reads until the proxy closes it or sends no more.
func (r *rig) raw(request string) string {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Fatal(err)
	}
	reply, err := io.ReadAll(conn)
	if err != nil && len(reply) == 0 {
		r.t.Fatalf("no reply to %q: %v", request, err)
	}
	return string(reply)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\r\n")
	return line
}

// Two programs in a row could disagree about the end or the meaning of each of these requests (RFC
// 9112, 11.2). The connection must be closed as well: the bytes that follow might not be a request.
func TestAmbiguousRequestsAreRefused(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	const hidden = "GET /hidden HTTP/1.1\r\nHost: shop.test\r\n\r\n"
	for name, request := range map[string]string{
		"length and chunked": "POST / HTTP/1.1\r\nHost: shop.test\r\n" +
			"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunked and length": "POST / HTTP/1.1\r\nHost: shop.test\r\n" +
			"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + hidden,
		"two equal lengths": "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"two lengths":       "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
		"list of lengths":   "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1, 1\r\n\r\nx",
		"signed length":     "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: +1\r\n\r\nx",
		"two codings": "POST / HTTP/1.1\r\nHost: shop.test\r\n" +
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"other coding":           "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"identity and chunked":   "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
		"chunked in HTTP/1.0":    "POST / HTTP/1.0\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"folded field":           "GET / HTTP/1.1\r\nHost: shop.test\r\nX-A: 1\r\n Transfer-Encoding: chunked\r\n\r\n",
		"blank before colon":     "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"blank in a name":        "GET / HTTP/1.1\r\nHost: shop.test\r\nX A: 1\r\n\r\n",
		"no name":                "GET / HTTP/1.1\r\nHost: shop.test\r\n: 1\r\n\r\n",
		"no colon":               "GET / HTTP/1.1\r\nHost: shop.test\r\nX-A\r\n\r\n",
		"bare LF after a field":  "GET / HTTP/1.1\r\nHost: shop.test\nX-A: 1\r\n\r\n",
		"bare LF after request":  "GET / HTTP/1.1\nHost: shop.test\r\n\r\n",
		"bare LF ends header":    "GET / HTTP/1.1\r\nHost: shop.test\r\n\n",
		"bare CR in a value":     "GET / HTTP/1.1\r\nHost: shop.test\r\nX-A: 1\rX-B: 2\r\n\r\n",
		"NUL in a value":         "GET / HTTP/1.1\r\nHost: shop.test\r\nX-A: 1\x002\r\n\r\n",
		"two hosts":              "GET / HTTP/1.1\r\nHost: shop.test\r\nHost: other.test\r\n\r\n",
		"no host":                "GET / HTTP/1.1\r\n\r\n",
		"host with a path":       "GET / HTTP/1.1\r\nHost: shop.test/x\r\n\r\n",
		"host with a user":       "GET / HTTP/1.1\r\nHost: a@shop.test\r\n\r\n",
		"host with two ports":    "GET / HTTP/1.1\r\nHost: shop.test:80:80\r\n\r\n",
		"host with a bad port":   "GET / HTTP/1.1\r\nHost: shop.test:8x\r\n\r\n",
		"host with a list":       "GET / HTTP/1.1\r\nHost: shop.test, other.test\r\n\r\n",
		"user in absolute form":  "GET http://a:b@shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
		"other scheme":           "GET ftp://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
		"asterisk":               "OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n",
		"fragment":               "GET /a#b HTTP/1.1\r\nHost: shop.test\r\n\r\n",
		"control byte in target": "GET /a\x01b HTTP/1.1\r\nHost: shop.test\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			reply := r.raw(request)
			status := firstLine(reply)
			if !strings.Contains(status, " 400 ") && !strings.Contains(status, " 501 ") {
				t.Errorf("response %q, want 400", status)
			}
			if strings.Contains(reply, " 200 OK\r\n") {
				t.Errorf("a request was served:\n%s", reply)
			}
			select {
			case got := <-requests:
				t.Errorf("reached the pod: %s %v", got.target, got.header)
			default:
			}
		})
	}
}

func TestConnectAndTraceAreRefused(t *testing.T) {
	r := newRig(t, proxy.Options{})
	spy(r)
	for _, request := range []string{
		"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n",
		"TRACE / HTTP/1.1\r\nHost: shop.test\r\n\r\n",
	} {
		reply := r.raw(request)
		if firstLine(reply) != "HTTP/1.1 405 Method Not Allowed" || !strings.Contains(reply, "\r\nAllow: ") {
			t.Errorf("%s: %s", firstLine(request), reply)
		}
	}
}

// The check must accept valid requests, for all ways to split them into packets or to pipeline
// them.
func TestPipelinedRequestsAreServed(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	reply := r.raw("POST /1 HTTP/1.1\r\nHost: shop.test\r\ncontent-length: 5\r\n\r\nab\r\n\n" +
		"POST /2 HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding:  Chunked \r\n\r\n3;x=y\r\na\nb\r\n0A\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n" +
		"GET /3 HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\nX-Empty:\r\n\r\n" +
		"GET /4 HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
	if got := strings.Count(reply, "HTTP/1.1 200 OK"); got != 4 {
		t.Fatalf("%d responses:\n%s", got, reply)
	}
	for _, want := range []string{"/1", "/2", "/3", "/4"} {
		if got := <-requests; got.target != want {
			t.Errorf("pod got %s, want %s", got.target, want)
		}
	}
}

func TestValidRequestBeforeInvalidIsServed(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	reply := r.raw("GET /good HTTP/1.1\r\nHost: shop.test\r\n\r\n" +
		"POST /bad HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	if !strings.HasPrefix(reply, "HTTP/1.1 200 ") || !strings.Contains(reply, "HTTP/1.1 400 ") {
		t.Errorf("responses:\n%s", reply)
	}
	if got := <-requests; got.target != "/good" || len(requests) != 0 {
		t.Errorf("pod got %s and %d more", got.target, len(requests))
	}
}

func TestHosts(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.route(nil)
	for host, want := range map[string]string{
		"shop.test": "503", "shop.test:80": "503", "shop.test:": "503", "SHOP.TEST.": "503", // a route without endpoints
		"10.1.2.3": "404", "[2001:db8::1]": "404", "[2001:db8::1]:80": "404", "a_b.test": "404", "xn--caf-dma.test": "404",
		"[2001:db8::1": "400", "[fe80::1%25eth0]": "400", "2001:db8::1": "400",
		":80": "400", "shop.test:99999": "400", "[10.0.0.1]": "400", "a%2eb": "400",
	} {
		reply := r.raw("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		if status := strings.TrimPrefix(firstLine(reply), "HTTP/1.1 "); !strings.HasPrefix(status, want) {
			t.Errorf("host %q: %s, want %s", host, status, want)
		}
	}
}
