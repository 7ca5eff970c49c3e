package proxy_test

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

func TestForwardUsesEndpointsInTurn(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", say("one"))
	r.pod("10.0.0.2:8080", say("two"))
	r.route(nil, "10.0.0.1:80", "10.0.0.2:8080")
	answers := map[string]int{}
	for range 10 {
		_, body := r.get("/")
		answers[body]++
	}
	if answers["one"] != 5 || answers["two"] != 5 {
		t.Errorf("responses %v, want five of each", answers)
	}
}

func TestNoEndpointIs503AndNoRouteIs404(t *testing.T) {
	r := newRig(t, proxy.Options{})
	if response, _ := r.get("/"); response.StatusCode != http.StatusNotFound {
		t.Errorf("before the first table: status %d, want 404", response.StatusCode)
	}
	r.route(nil)
	if response, _ := r.get("/"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without endpoints: status %d, want 503", response.StatusCode)
	}
	if record := r.record(); record.Ingress != "" {
		t.Errorf("404 recorded for Ingress %q", record.Ingress)
	}
	if record := r.record(); record.Ingress != "shop/web" || record.Service != "shop/web:80" || record.Reason == "" {
		t.Errorf("503 recorded as %+v, want Ingress, Service and a reason", record)
	}
}

// A deleted pod refuses connections until its EndpointSlice is updated. Nothing was sent, so any
// request can go to another pod, even one with a body.
func TestDeadEndpointFailsNoRequest(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.2:80", func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })
	r.route(nil, "10.0.0.1:80", "10.0.0.2:80")
	for i := range 6 {
		response, body := r.do(r.request(http.MethodPost, "/", strings.NewReader("order")))
		if response.StatusCode != http.StatusOK || body != "order" {
			t.Fatalf("request %d: status %d, body %q", i, response.StatusCode, body)
		}
	}
	tries := 0
	for range 6 {
		tries += r.record().Tries
	}
	if tries != 7 {
		t.Errorf("%d tries for 6 requests, want 7: the dead endpoint is avoided after its first failure", tries)
	}
}

// breaks is a pod that reads a request and closes the connection without a response.
func breaks(t testing.TB, times *atomic.Int64) string {
	return misbehaves(t, func(io.Writer) { times.Add(1) })
}

// garbles is a pod that doesn't speak HTTP.
func garbles(t testing.TB) string {
	return misbehaves(t, func(w io.Writer) { _, _ = io.WriteString(w, "220 mail.test ready\r\n\r\n") })
}

// misbehaves is a pod that reads one request per connection, calls instead, and closes the
// connection.
func misbehaves(t testing.TB, instead func(io.Writer)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				instead(conn)
			}
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

// A request that can have had an effect must not be repeated: RFC 9110, 9.2.2.
func TestBrokenConnectionRetriesIdempotentRequests(t *testing.T) {
	for _, test := range []struct {
		method, body string
		status       int
	}{
		{http.MethodGet, "", 200},
		{http.MethodDelete, "", 200},
		{http.MethodPost, "", 502},
		{http.MethodPatch, "", 502},
		{http.MethodPut, "x", 502}, // its body was already read
	} {
		t.Run(test.method, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			var times atomic.Int64
			r.podAt("10.0.0.1:80", breaks(t, &times))
			r.pod("10.0.0.2:80", say("fine"))
			r.route(nil, "10.0.0.1:80", "10.0.0.2:80")
			var body io.Reader
			if test.body != "" {
				body = strings.NewReader(test.body)
			}
			response, _ := r.do(r.request(test.method, "/", body))
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			if times.Load() != 1 {
				t.Errorf("the broken pod got the request %d times, want once", times.Load())
			}
		})
	}
}

func TestTriesAreBounded(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.route(nil, "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80")
	response, _ := r.get("/")
	record := r.record()
	if response.StatusCode != http.StatusBadGateway || record.Tries != 3 {
		t.Errorf("status %d after %d tries, want 502 after 3", response.StatusCode, record.Tries)
	}
	if !strings.Contains(record.Reason, "connection refused") {
		t.Errorf("reason %q does not describe the failure", record.Reason)
	}
}

func TestRemovedEndpointClosesIdleConnections(t *testing.T) {
	r := newRig(t, proxy.Options{})
	closed := make(chan struct{})
	backend := httptest.NewUnstartedServer(say("one"))
	backend.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	backend.Start()
	t.Cleanup(backend.Close)
	r.podAt("10.0.0.1:80", backend.Listener.Addr().String())
	r.pod("10.0.0.2:80", say("two"))
	r.route(nil, "10.0.0.1:80")
	r.get("/")
	r.route(nil, "10.0.0.2:80")
	select {
	case <-closed:
	case <-time.After(20 * time.Second): // long before the idle timeout
		t.Fatal("the connection to the removed pod is still open")
	}
	if _, body := r.get("/"); body != "two" {
		t.Errorf("response of %q after the new table", body)
	}
	if live := r.server.Endpoints(); len(live) != 1 || live[0].Address().String() != "10.0.0.2:80" {
		t.Errorf("%d live endpoints, want only the new one", len(live))
	}
}

func TestRequestInFlightSurvivesSwaps(t *testing.T) {
	r := newRig(t, proxy.Options{})
	started, finish := make(chan struct{}), make(chan struct{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first ")
		_ = http.NewResponseController(w).Flush()
		close(started)
		<-finish
		_, _ = io.WriteString(w, "last")
	})
	r.pod("10.0.0.2:80", say("new"))
	r.route(nil, "10.0.0.1:80")
	body := make(chan string)
	go func() {
		_, text := r.get("/")
		body <- text
	}()
	<-started
	for range 10 {
		r.route(nil, "10.0.0.2:80")
	}
	close(finish)
	if got := <-body; got != "first last" {
		t.Errorf("incomplete body %q", got)
	}
}

func TestServerHeader(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/own" {
			w.Header().Set("Server", "own/1")
		}
	})
	r.route(nil, "10.0.0.1:80")
	for path, want := range map[string]string{"/": "ingresslab", "/own": "own/1"} {
		if response, _ := r.get(path); response.Header.Get("Server") != want {
			t.Errorf("%s: Server %q, want %q", path, response.Header.Get("Server"), want)
		}
	}
}

func TestExplainHeaderHasRuleAndPod(t *testing.T) {
	r := newRig(t, proxy.Options{Explain: true})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Ingresslab-Ingress", "forged/name") })
	r.route(nil, "10.0.0.1:80")
	response, _ := r.get("/")
	for name, want := range map[string]string{
		"X-Ingresslab-Ingress": "shop/web", "X-Ingresslab-Rule": "spec.rules[0].http.paths[0]",
		"X-Ingresslab-Service": "shop/web:80", "X-Ingresslab-Endpoint": "10.0.0.1:80", "X-Ingresslab-Pod": "shop/web-10.0.0.1",
	} {
		if got := response.Header.Values(name); fmt.Sprint(got) != "["+want+"]" {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
	if response.Header.Get("X-Ingresslab-Reason") == "" {
		t.Error("no reason given")
	}
}

func TestRefusalHidesReason(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.route(nil)
	request := r.request(http.MethodGet, "/", nil)
	request.Header.Set("Accept", "text/html")
	response, body := r.do(request)
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") || !strings.Contains(body, "503 Service Unavailable") {
		t.Errorf("a browser gets %s: %s", response.Header.Get("Content-Type"), body)
	}
	record := r.record()
	if record.Reason == "" || strings.Contains(html.UnescapeString(body), record.Reason) {
		t.Errorf("a client sees the reason %q: %s", record.Reason, body)
	}
	if id := record.RequestID; !strings.Contains(body, id) || response.Header.Get("X-Request-Id") != id {
		t.Errorf("request id %s is not in the response", id)
	}
}

func TestIngressDisablesAccessLog(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", say("here"))
	for value, unlogged := range map[string]bool{"false": true, "true": false} {
		r.route(map[string]string{"enable-access-log": value}, "10.0.0.1:80")
		r.get("/")
		if record := r.record(); record.Unlogged != unlogged || record.Status != http.StatusOK {
			t.Errorf("enable-access-log %s: got %+v", value, record)
		}
	}
}
