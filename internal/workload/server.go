package workload

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingresslab/ingresslab/internal/pki"
)

// DefaultDrain is how long a pod continues serving after SIGTERM.
//
// Kubernetes sends SIGTERM and removes the pod from the EndpointSlices at the same time, so requests still arrive for a moment.
// Ingress controllers that watch EndpointSlices stop sending within milliseconds; a second is enough on a busy machine.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow
const DefaultDrain = time.Second

// DefaultGrace is how long running requests can take after the drain. The kubelet kills the pod after 30 seconds.
const DefaultGrace = 20 * time.Second

// idleTimeout exceeds that of proxies (60 to 90 seconds). If the backend closed a connection first, a request could get a reset.
const idleTimeout = 5 * time.Minute

// Server runs an App until its context ends.
type Server struct {
	App *App
	// Listener accepts HTTP/1.1 and HTTP/2 without TLS (h2c with prior knowledge, RFC 9113, section 3.3).
	Listener net.Listener
	// TLSListener, if not nil, accepts the same over TLS, with a self-signed certificate.
	TLSListener net.Listener

	Drain       time.Duration // for new requests after the end of the context, see DefaultDrain
	Grace       time.Duration // for running requests after that, see DefaultGrace
	Log         *slog.Logger  // receives the events of the server
	LogRequests bool          // log each request

	after func(time.Duration) <-chan time.Time // replaces time.After in tests
}

// Listen opens a TCP port on all addresses of the pod; 0 selects a free port.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return nil, fmt.Errorf("port %d: %w", port, err)
	}
	return l, nil
}

// Run serves until the context ends. Then it drains: for s.Drain, it accepts requests, returns 503 on /readyz, and asks clients to
// close their connections. Then it closes its ports, waits for running requests within s.Grace, and returns nil. After POST /crash, it
// returns ErrCrash at once. It always closes the listeners. Call it once.
func (s *Server) Run(ctx context.Context) error {
	life := s.App.life
	base, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	srv := s.httpServer(base)
	srv.RegisterOnShutdown(life.stop)
	defer life.stop()

	failed, err := s.serve(srv)
	if err != nil {
		return err
	}
	defer func() { _ = srv.Close() }() // Shutdown has closed everything

	after := s.after
	if after == nil {
		after = time.After
	}
	stop, drained := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case err := <-failed:
			return err
		case <-life.crashed:
			return ErrCrash
		case <-stop:
			s.Log.Info("stopping; still serving during the drain", "drain", s.Drain)
			life.draining.Store(true)
			stop, drained = nil, after(s.Drain)
		case <-drained:
			return s.finish(srv, life)
		}
	}
}

// finish waits for running requests, and for upgraded connections, which Shutdown does not track.
func (s *Server) finish(srv *http.Server, life *life) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.Grace)
	defer cancel()
	err := srv.Shutdown(ctx)
	upgraded := make(chan struct{})
	go func() {
		life.upgraded.Wait()
		close(upgraded)
	}()
	select {
	case <-upgraded:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("requests still running %s after the drain were cut off: %w", s.Grace, err)
	}
	s.Log.Info("stopped")
	return nil
}

func (s *Server) httpServer(base context.Context) *http.Server {
	var handler http.Handler = s.App
	if s.LogRequests {
		handler = logRequests(s.Log, handler)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
}

// serve starts a goroutine for each listener, and returns a channel for their errors.
func (s *Server) serve(srv *http.Server) (<-chan error, error) {
	failed := make(chan error, 2)
	start := func(l net.Listener, serve func() error) {
		s.Log.Info("listening", "app", s.App.Name, "address", l.Addr(), "pod", s.App.Identity.ServedBy())
		go func() {
			if err := serve(); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve on %s: %w", l.Addr(), err)
			}
		}()
	}
	if s.TLSListener != nil {
		certificate, err := selfSigned()
		if err != nil {
			return nil, errors.Join(err, s.Listener.Close(), s.TLSListener.Close())
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		start(s.TLSListener, func() error { return srv.ServeTLS(s.TLSListener, "", "") })
	}
	start(s.Listener, func() error { return srv.Serve(s.Listener) })
	return failed, nil
}

// selfSigned creates a certificate whose name matches no host. A proxy that verifies its backends must reject it.
func selfSigned() (tls.Certificate, error) {
	const name = "workload.invalid"
	leaf := pki.Leaf{User: name, Hosts: []string{name}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	pair, err := pki.SelfSigned(leaf, 365*24*time.Hour)
	if err != nil {
		return tls.Certificate{}, err
	}
	return pair.TLS()
}

// logRequests logs each request except probes, so that "kubectl logs" shows which pod received it.
func logRequests(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProbe(r) {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		seen := &answer{ResponseWriter: w}
		// Deferred, because a handler can abort the connection.
		defer func() {
			log.Info("request", "method", r.Method, "host", r.Host, "uri", r.RequestURI, "from", r.RemoteAddr,
				"status", seen.status, "bytes", seen.bytes, "took", time.Since(start).Round(time.Microsecond))
		}()
		next.ServeHTTP(seen, r)
	})
}

// answer records the status and size for the log. status is 0 without a response.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader records the final status; informational responses (RFC 9110, section 15.2) come before it.
func (a *answer) WriteHeader(status int) {
	if a.status < http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write counts bytes, and records the implicit status 200.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController access to Flush and Hijack.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// ErrCrash is the error of Server.Run after POST /crash.
var ErrCrash = errors.New("crash requested by POST /crash")

// life is the state that an app shares with its server: readiness, drain, and crash.
type life struct {
	unready  atomic.Bool // by POST /readyz?ready=false
	draining atomic.Bool // by SIGTERM

	// stopping ends after the drain, to close connections that never become idle.
	stopping context.Context
	stop     context.CancelFunc
	// upgraded counts the connections that http.Server.Shutdown does not track.
	upgraded sync.WaitGroup

	crashed   chan struct{}
	crashOnce sync.Once
}

func newLife() *life {
	l := &life{crashed: make(chan struct{})}
	l.stopping, l.stop = context.WithCancel(context.Background())
	return l
}

// healthz reports that the process runs. It returns 200 during a drain, too, so that the kubelet does not restart the container.
func healthz(w http.ResponseWriter, _ *http.Request) { sendText(w, http.StatusOK, "ok") }

// readyz reports whether the pod is ready. After POST ?ready=false, the pod's address leaves the EndpointSlices, and the process
// continues.
// https://kubernetes.io/docs/concepts/workloads/pods/probes/#readiness-probe
func (l *life) readyz(w http.ResponseWriter, r *http.Request) {
	p := readParams(r, "readyz")
	ready, asked := p.boolean("ready")
	if !p.ok(w) {
		return
	}
	switch {
	case asked && r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		sendText(w, http.StatusMethodNotAllowed, fmt.Sprintf("use POST to change the readiness: curl -X POST '.../readyz?ready=%t'", ready))
		return
	case asked:
		l.unready.Store(!ready)
		sendText(w, http.StatusOK, "ready: "+strconv.FormatBool(ready))
		return
	}
	switch {
	case l.draining.Load():
		sendText(w, http.StatusServiceUnavailable, "not ready: shutting down")
	case l.unready.Load():
		sendText(w, http.StatusServiceUnavailable, "not ready; use POST /readyz?ready=true to make it ready again")
	default:
		sendText(w, http.StatusOK, "ready")
	}
}

// crash ends the process during the request. It requires POST, because a browser that prefetches links must not end pods (RFC 9110,
// section 9.2.1, safe methods).
func (l *life) crash(w http.ResponseWriter, r *http.Request) {
	if !readParams(r, "crash").ok(w) {
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		sendText(w, http.StatusMethodNotAllowed, "use POST to crash the process: curl -X POST .../crash")
		return
	}
	l.crashOnce.Do(func() { close(l.crashed) })
	<-r.Context().Done() // the server closes the connection without a response
}
