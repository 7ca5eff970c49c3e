package proxy_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// unsized hides the length of a body, which is then sent in chunks.
type unsized struct{ io.Reader }

func TestBodySize(t *testing.T) {
	for _, test := range []struct {
		name        string
		annotations map[string]string
		size        int
		status      int
	}{
		{"fits", map[string]string{"proxy-body-size": "1k"}, 1024, 200},
		{"one byte above the limit", map[string]string{"proxy-body-size": "1k"}, 1025, 413},
		{"default", nil, 1<<20 + 1, 413},
		{"no limit", map[string]string{"proxy-body-size": "0"}, 1<<20 + 1, 200},
		{"without buffering", map[string]string{"proxy-body-size": "1k", "proxy-request-buffering": "off"}, 1025, 413},
		{"far above the limit", map[string]string{"proxy-body-size": "1k"}, 4 << 20, 413},
	} {
		for _, over := range []string{"HTTP/1.1 with length", "HTTP/1.1 in chunks", "HTTP/2 without length"} {
			t.Run(test.name+", "+over, func(t *testing.T) {
				r := newRig(t, proxy.Options{})
				received := make(chan int, 1)
				r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) {
					n, _ := io.Copy(io.Discard, q.Body)
					received <- int(n)
				})
				r.world(test.annotations)
				request := r.request(http.MethodPost, "/", bytes.NewReader(make([]byte, test.size)))
				transport := &http.Transport{DisableKeepAlives: true}
				if over != "HTTP/1.1 with length" {
					request.Body, request.ContentLength = io.NopCloser(unsized{request.Body}), -1
				}
				if over == "HTTP/2 without length" {
					request.URL.Scheme, request.URL.Host = "https", r.listenTLS()
					transport.ForceAttemptHTTP2, transport.TLSClientConfig = true, &tls.Config{InsecureSkipVerify: true}
				}
				response, err := transport.RoundTrip(request)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if response.StatusCode != test.status {
					t.Errorf("status %d, want %d", response.StatusCode, test.status)
				}
				if test.status == http.StatusOK && <-received != test.size {
					t.Error("the endpoint did not get the complete body")
				}
				if e := r.server.Endpoints()[0]; e.Failures() != 0 {
					t.Error("the failure is attributed to the endpoint")
				}
			})
		}
	}
}

// A client with "Expect: 100-continue" gets the refusal before it sends the body, and no endpoint
// gets the request.
func TestExpectContinueBodyIsRefusedBeforeUpload(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(http.ResponseWriter, *http.Request) { t.Error("the endpoint got the request") })
	r.world(map[string]string{"proxy-body-size": "1k"})
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: "+host+"\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n")
	if reply, _ := io.ReadAll(conn); !strings.HasPrefix(string(reply), "HTTP/1.1 413 ") {
		t.Errorf("response %s, want 413 at once", firstLine(string(reply)))
	}
}
