package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

func TestServerSentEventsArriveOneByOne(t *testing.T) {
	r := newRig(t, proxy.Options{})
	next := make(chan string)
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for event := range next {
			_, _ = fmt.Fprintf(w, "data: %s\n\n", event)
			_ = http.NewResponseController(w).Flush()
		}
	})
	r.route(nil, "10.0.0.1:80")
	response, err := http.DefaultTransport.RoundTrip(r.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for _, event := range []string{"a", "b", "c"} {
		next <- event // the next event is sent only when this one has arrived
		if lines.Scan(); lines.Text() != "data: "+event {
			t.Fatalf("got %q, want event %q", lines.Text(), event)
		}
		lines.Scan()
	}
	close(next)
}

func TestFullDuplexStreaming(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, q *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_ = control.Flush()
		lines := bufio.NewScanner(q.Body)
		for lines.Scan() {
			_, _ = io.WriteString(w, strings.ToUpper(lines.Text())+"\n")
			_ = control.Flush()
		}
	})
	r.route(nil, "10.0.0.1:80")
	reader, writer := io.Pipe()
	response, err := http.DefaultTransport.RoundTrip(r.request(http.MethodPost, "/", reader))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for _, word := range []string{"one", "two", "three"} {
		_, _ = io.WriteString(writer, word+"\n")
		if lines.Scan(); lines.Text() != strings.ToUpper(word) {
			t.Fatalf("got %q for %q", lines.Text(), word)
		}
	}
	_ = writer.Close()
	if lines.Scan() {
		t.Errorf("unexpected data: %q", lines.Text())
	}
}

func TestTrailersAreForwarded(t *testing.T) {
	r := newRig(t, proxy.Options{})
	trailers := make(chan http.Header, 1)
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(w, q.Body)
		trailers <- q.Trailer
		w.Header().Set("X-Sum", "42")
	})
	r.route(nil, "10.0.0.1:80")
	request := r.request(http.MethodPost, "/", io.NopCloser(strings.NewReader("body")))
	request.Trailer = http.Header{"X-Checksum": {"abc"}, "X-Forwarded-For": {"6.6.6.6"}}
	response, body := r.do(request)
	if body != "body" || response.Trailer.Get("X-Sum") != "42" {
		t.Errorf("body %q, response trailer %v", body, response.Trailer)
	}
	if got := <-trailers; got.Get("X-Checksum") != "abc" || got.Get("X-Forwarded-For") != "" {
		t.Errorf("request trailer %v", got)
	}
}

// A client with "Expect: 100-continue" waits for the endpoint's response before it sends a large
// body (RFC 9110, 10.1.1).
func TestExpectContinueIsForwarded(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/no" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.Copy(w, q.Body)
	})
	r.route(nil, "10.0.0.1:80")
	header := " HTTP/1.1\r\nHost: shop.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
	if reply := r.raw("POST /no" + header); !strings.HasPrefix(reply, "HTTP/1.1 413 ") {
		t.Errorf("response %s, want 413 without a body being sent", firstLine(reply))
	}
	if reply := r.raw("POST /yes" + header + "body"); !strings.HasPrefix(reply, "HTTP/1.1 100 ") || !strings.HasSuffix(reply, "body") {
		t.Errorf("response %s", reply)
	}
}

// echoUpgrade switches to a protocol that echoes its input.
func echoUpgrade(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}

// upgrade opens a connection through the proxy that has switched protocols.
func (r *rig) upgrade() (net.Conn, *bufio.Reader) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		r.t.Fatalf("no upgrade: %v %v", response, err)
	}
	return conn, reader
}

func TestUpgradedConnectionSurvivesSwaps(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", echoUpgrade)
	r.route(nil, "10.0.0.1:80")
	conn, reader := r.upgrade()
	for i := range 5 {
		r.route(nil) // removes the endpoint from the table; the connection stays open
		message := fmt.Sprintf("GET /%d\n not: HTTP\n", i)
		_, _ = io.WriteString(conn, message)
		echo := make([]byte, len(message))
		if _, err := io.ReadFull(reader, echo); err != nil || string(echo) != message {
			t.Fatalf("message %d came back as %q: %v", i, echo, err)
		}
	}
	_ = conn.Close()
	if record := r.record(); record.Status != http.StatusSwitchingProtocols || record.Reason != "" {
		t.Errorf("recorded as %d %q", record.Status, record.Reason)
	}
}

func TestShutdownEndsRequestsInFlight(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", echoUpgrade)
	r.route(nil, "10.0.0.1:80")
	_, reader := r.upgrade()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := r.server.WaitIdle(ctx); err == nil {
		t.Fatal("an open connection counts as idle")
	}
	r.cancel(proxy.ErrShutdown)
	if _, err := reader.ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
	if err := r.server.WaitIdle(t.Context()); err != nil {
		t.Error(err)
	}
}

// A disconnected client isn't an endpoint's failure: no retry, no avoidance, 499 in the log.
func TestClientDisconnects(t *testing.T) {
	r := newRig(t, proxy.Options{})
	started, gone := make(chan struct{}), make(chan struct{})
	r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) {
		close(started)
		<-q.Context().Done()
		close(gone)
	})
	r.route(nil, "10.0.0.1:80")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if response, err := http.DefaultTransport.RoundTrip(r.request(http.MethodGet, "/", nil).WithContext(ctx)); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-started
	cancel()
	<-gone // the endpoint's request is canceled
	<-done
	if record := r.record(); record.Status != 499 || record.Tries != 1 {
		t.Errorf("recorded as %d after %d tries, want 499 after 1", record.Status, record.Tries)
	}
	if e := r.server.Endpoints()[0]; e.Failures() != 0 || e.Avoided() || e.InFlight() != 0 {
		t.Errorf("the failure is attributed to the endpoint: %d failures, avoided %t, in flight %d", e.Failures(), e.Avoided(), e.InFlight())
	}
}

// The client must be able to detect an incomplete response.
func TestIncompleteResponseIsAborted(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	})
	r.route(nil, "10.0.0.1:80")
	response, err := http.DefaultTransport.RoundTrip(r.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("the client accepts %q as complete", body)
	}
	if record := r.record(); record.Status != 200 || !strings.Contains(record.Reason, "incomplete response") {
		t.Errorf("recorded as %d %q", record.Status, record.Reason)
	}
}

// A slow endpoint might still process the request: only idempotent requests go to another one.
func TestReadTimeout(t *testing.T) {
	for _, test := range []struct {
		method        string
		status, tries int
	}{
		{http.MethodGet, 200, 2},
		{http.MethodPost, 504, 1},
	} {
		t.Run(test.method, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			release := make(chan struct{})
			r.pod("10.0.0.1:80", func(http.ResponseWriter, *http.Request) { <-release })
			t.Cleanup(func() { close(release) })
			r.pod("10.0.0.2:80", say("second"))
			r.route(map[string]string{"proxy-read-timeout": "1"}, "10.0.0.1:80", "10.0.0.2:80")
			response, _ := r.do(r.request(test.method, "/", nil))
			record := r.record()
			if response.StatusCode != test.status || record.Tries != test.tries {
				t.Errorf("status %d after %d tries, want %d after %d", response.StatusCode, record.Tries, test.status, test.tries)
			}
			if test.status != 200 && !strings.Contains(record.Reason, "read timeout") {
				t.Errorf("reason %q", record.Reason)
			}
		})
	}
}

func TestMalformedBodyIs400(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body) })
	r.route(nil, "10.0.0.1:80")
	reply := r.raw("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n")
	if !strings.HasPrefix(reply, "HTTP/1.1 400 ") {
		t.Errorf("response %s, want 400", firstLine(reply))
	}
	if e := r.server.Endpoints()[0]; e.Failures() != 0 {
		t.Error("the failure is attributed to the endpoint")
	}
}
