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
	// Drain is how long the server accepts requests after the end of the context, see DefaultDrain.
	Drain time.Duration
	// Grace is how long running requests can take after that, see DefaultGrace.
	Grace time.Duration
	// Log receives the events of the server, and each request if LogRequests is set.
	Log         *slog.Logger
	LogRequests bool

	// after replaces time.After in tests.
	after func(time.Duration) <-chan time.Time
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

	select {
	case err := <-failed:
		return err
	case <-life.crashed:
		return ErrCrash
	case <-ctx.Done():
	}
	s.Log.Info("stopping; still serving during the drain", "drain", s.Drain)
	life.draining.Store(true)
	select {
	case err := <-failed:
		return err
	case <-life.crashed:
		return ErrCrash
	case <-s.timer(s.Drain):
	}
	return s.finish(srv, life)
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

func (s *Server) timer(d time.Duration) <-chan time.Time {
	if s.after != nil {
		return s.after(d)
	}
	return time.After(d)
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
