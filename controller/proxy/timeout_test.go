package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// blackHole makes dials of an address hang until they are canceled.
func (r *rig) blackHole(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hangs = append(r.hangs, address)
}

// A node without a network doesn't refuse connections; it doesn't respond at all. Nothing was sent,
// so the request can go to another endpoint.
func TestConnectTimeoutTriesAnotherEndpoint(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.blackHole("10.0.0.1:80")
	r.pod("10.0.0.2:80", func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })
	r.route(map[string]string{"proxy-connect-timeout": "1"}, "10.0.0.1:80", "10.0.0.2:80")
	response, body := r.do(r.request(http.MethodPost, "/", strings.NewReader("order")))
	if record := r.record(); response.StatusCode != http.StatusOK || body != "order" || record.Tries != 2 {
		t.Errorf("status %d, body %q after %d tries", response.StatusCode, body, record.Tries)
	}
}

func TestConnectTimeoutIs504(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.blackHole("10.0.0.1:80")
	r.route(map[string]string{"proxy-connect-timeout": "1"}, "10.0.0.1:80")
	if response, _ := r.get("/"); response.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("status %d, want 504", response.StatusCode)
	}
	if record := r.record(); !strings.Contains(record.Reason, "connect timeout") {
		t.Errorf("reason %q", record.Reason)
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestSendTimeoutIs504(t *testing.T) {
	r := newRig(t, proxy.Options{})
	release := make(chan struct{})
	r.pod("10.0.0.1:80", func(http.ResponseWriter, *http.Request) { <-release }) // never reads the body
	t.Cleanup(func() { close(release) })
	r.route(map[string]string{"proxy-send-timeout": "1", "proxy-body-size": "0"}, "10.0.0.1:80")
	reader, writer := io.Pipe()
	go func() { _, _ = io.Copy(writer, endless{}) }() // ends when the request closes its body
	response, _ := r.do(r.request(http.MethodPost, "/", reader))
	if response.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("status %d, want 504", response.StatusCode)
	}
	if record := r.record(); !strings.Contains(record.Reason, "send timeout") {
		t.Errorf("reason %q", record.Reason)
	}
}

func TestReadTimeoutBoundsPauses(t *testing.T) {
	r := newRig(t, proxy.Options{})
	release := make(chan struct{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	t.Cleanup(func() { close(release) })
	r.route(map[string]string{"proxy-read-timeout": "1"}, "10.0.0.1:80")
	response, err := http.DefaultTransport.RoundTrip(r.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err == nil || string(body) != "first" {
		t.Errorf("body %q, error %v; want the partial body and an error", body, err)
	}
	if e := r.server.Endpoints()[0]; r.record().Reason == "" || e.Avoided() {
		t.Errorf("not recorded, or avoided (%t) for one slow response", e.Avoided())
	}
}

func TestIdleUpgradedConnectionIsClosed(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", echoUpgrade)
	r.route(map[string]string{"proxy-read-timeout": "1"}, "10.0.0.1:80")
	_, reader := r.upgrade()
	if _, err := reader.ReadByte(); err == nil {
		t.Error("unexpected byte")
	}
}

// A pod that switches to another protocol than requested must not get the client's connection.
func TestUnrequestedUpgradeIs502(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", echoUpgrade)
	r.route(nil, "10.0.0.1:80")
	request := r.request(http.MethodGet, "/", nil)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	if response, _ := r.do(request); response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want 502", response.StatusCode)
	}
}

func TestForwardedProtoOverTLS(t *testing.T) {
	r := newRig(t, proxy.Options{})
	requests := spy(r)
	front := httptest.NewTLSServer(r.server)
	defer front.Close()
	request := r.request(http.MethodGet, "/", nil)
	request.URL.Scheme, request.URL.Host = "https", front.Listener.Addr().String()
	response, err := front.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	got := <-requests
	_, port, _ := net.SplitHostPort(front.Listener.Addr().String())
	for name, want := range map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Scheme": "https", "X-Scheme": "https",
		"X-Forwarded-Port": port} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	if record := r.record(); !record.TLS {
		t.Error("recorded as plain HTTP")
	}
}

// hang waits like a dial into a network that drops all packets.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
