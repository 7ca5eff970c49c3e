package workload

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// running is a server under test. The test ends its drain.
type running struct {
	url      string
	stop     context.CancelFunc // has the effect of SIGTERM
	draining <-chan time.Duration
	endDrain func()
	result   <-chan error
	client   *http.Client
}

func start(t *testing.T, app *App, change ...func(*Server)) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	draining, end := make(chan time.Duration, 1), make(chan time.Time)
	server := &Server{
		App: app, Listener: listener, Drain: 3 * time.Second, Grace: time.Minute, Log: slog.New(slog.DiscardHandler),
		after: func(d time.Duration) <-chan time.Time { draining <- d; return end },
	}
	for _, c := range change {
		c(server)
	}
	result := make(chan error, 1)
	go func() { result <- server.Run(ctx) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		stop()
		transport.CloseIdleConnections()
	})
	return &running{
		url: "http://" + listener.Addr().String(), stop: stop, draining: draining,
		endDrain: func() { close(end) }, result: result, client: &http.Client{Transport: transport},
	}
}

func (r *running) get(t *testing.T, path string) *http.Response {
	t.Helper()
	resp, err := r.client.Get(r.url + path)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

func backend(t *testing.T) *App {
	t.Helper()
	app, err := NewBackend(1, 8080, Identity{Pod: "pod-1"})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// A pod gets SIGTERM before all clients know that it stops, so it must continue serving.
func TestServerServesDuringDrain(t *testing.T) {
	r := start(t, backend(t))
	if resp := r.get(t, "/"); resp.StatusCode != 200 || resp.Close {
		t.Fatalf("before: %s, closing %t; want 200 on a connection that stays", resp.Status, resp.Close)
	}
	r.stop()
	if d := <-r.draining; d != 3*time.Second {
		t.Errorf("drains for %s, want 3s", d)
	}
	if resp := r.get(t, "/"); resp.StatusCode != 200 || !resp.Close {
		t.Errorf("draining: %s, closing %t; want 200 on a connection that closes", resp.Status, resp.Close)
	}
	if resp := r.get(t, "/readyz"); resp.StatusCode != 503 {
		t.Errorf("draining: /readyz %s, want 503", resp.Status)
	}
	if resp := r.get(t, "/healthz"); resp.StatusCode != 200 {
		t.Errorf("draining: /healthz %s, want 200: nothing is wrong with it", resp.Status)
	}
	r.endDrain()
	if err := <-r.result; err != nil {
		t.Errorf("Run: %v", err)
	}
	if resp, err := r.client.Get(r.url); err == nil {
		t.Errorf("after the drain: %s, want no connection", resp.Status)
	}
}

func TestRunningRequestsFinishAfterDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	app := newApp("blocking", Identity{}, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		sendText(w, http.StatusOK, "done")
	})
	r := start(t, app)
	answer := make(chan error, 1)
	go func() {
		resp, err := r.client.Get(r.url)
		if err == nil {
			_ = resp.Body.Close()
		}
		answer <- err
	}()
	<-arrived
	r.stop()
	<-r.draining
	r.endDrain()
	<-app.life.stopping.Done()
	close(release)
	if err := <-answer; err != nil {
		t.Errorf("request under way: %v", err)
	}
	if err := <-r.result; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestServerStopsAfterGrace(t *testing.T) {
	arrived := make(chan struct{})
	app := newApp("stuck", Identity{}, func(_ http.ResponseWriter, req *http.Request) {
		close(arrived)
		<-req.Context().Done()
	})
	r := start(t, app, func(s *Server) { s.Grace = time.Millisecond })
	go func() {
		if resp, err := r.client.Get(r.url); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-arrived
	r.stop()
	<-r.draining
	r.endDrain()
	if err := <-r.result; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Run: %v, want an error that says what was cut off", err)
	}
}

func TestWebSocketsCloseOnShutdown(t *testing.T) {
	r := start(t, backend(t))
	conn, _, err := websocket.Dial(t.Context(), r.url+"/upgrade", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	r.stop()
	<-r.draining
	r.endDrain()
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("read: %v, want status 1001", err)
	}
	if err := <-r.result; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestCrashStopsServerImmediately(t *testing.T) {
	r := start(t, backend(t))
	resp, err := r.client.Post(r.url+"/crash", "", nil)
	if err == nil {
		_ = resp.Body.Close()
		t.Errorf("POST /crash: %s, want no answer", resp.Status)
	}
	if err := <-r.result; !errors.Is(err, ErrCrash) {
		t.Errorf("Run: %v, want ErrCrash", err)
	}
}

func TestServerAcceptsHTTP2WithoutTLS(t *testing.T) {
	r := start(t, backend(t))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	r.client.Transport = transport
	if resp := r.get(t, "/"); resp.Proto != "HTTP/2.0" || resp.StatusCode != 200 {
		t.Errorf("%s %s, want HTTP/2.0 200", resp.Proto, resp.Status)
	}
}

func TestServerAcceptsTLSWithSelfSignedCertificate(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, backend(t), func(s *Server) { s.TLSListener = listener })
	address := "https://" + listener.Addr().String()
	var unknown *tls.CertificateVerificationError
	if _, err := r.client.Get(address); !errors.As(err, &unknown) {
		t.Errorf("verifying: %v, want a refusal of the certificate", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(address + "/echo")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var e Echo
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || e.TLS == nil {
		t.Errorf("echo: tls %v, %v; want it to know of the TLS", e.TLS, err)
	}
}

func TestListenNamesPortInUse(t *testing.T) {
	first, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	if second, err := Listen(t.Context(), first.Addr().(*net.TCPAddr).Port); err == nil {
		_ = second.Close()
		t.Error("a port was taken twice")
	} else if !strings.HasPrefix(err.Error(), "port ") {
		t.Errorf("error %q, want it to begin with the port", err)
	}
}

func TestServerLogsRequestsButNotProbes(t *testing.T) {
	var lines strings.Builder
	log := slog.New(slog.NewTextHandler(&lines, nil))
	handler := logRequests(log, backend(t))
	for _, path := range []string{"/healthz", "/readyz", "/status/418", "/bytes?n=5"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.RequestURI = path
		handler.ServeHTTP(nullWriter{http.Header{}}, req)
	}
	got := strings.Split(strings.TrimSpace(lines.String()), "\n")
	if len(got) != 2 || !strings.Contains(got[0], "uri=/status/418") || !strings.Contains(got[0], "status=418") ||
		!strings.Contains(got[1], "status=200 bytes=5") {
		t.Errorf("log:\n%s\nwant a line for /status/418 with its status and one for /bytes with 5 bytes", lines.String())
	}
}

type nullWriter struct{ header http.Header }

func (n nullWriter) Header() http.Header         { return n.header }
func (n nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (n nullWriter) WriteHeader(int)             {}
