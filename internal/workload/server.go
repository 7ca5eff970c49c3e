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

// DefaultDrain is how long a pod goes on serving after SIGTERM.
//
// Kubernetes sends SIGTERM and takes the pod out of the EndpointSlices at the same time, not one
// after the other, so for a moment traffic still arrives at a pod that was told to go. Ingress
// controllers that watch EndpointSlices stop sending within milliseconds; a second leaves them room
// on a busy machine, and is short enough for labs that delete and create pods all the time.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow
const DefaultDrain = time.Second

// DefaultGrace is how long requests that are under way may still take after the drain. With the drain
// it stays well below the 30 seconds after which the kubelet kills.
const DefaultGrace = 20 * time.Second

// idleTimeout is longer than proxies keep idle connections to a back-end (60 to 90 seconds). If the
// back-end were the first to close, a request on its way to it would meet a reset.
const idleTimeout = 5 * time.Minute

// Server runs an App until its context ends.
type Server struct {
	App *App
	// Listener takes plain HTTP/1.1 and, on the same port, HTTP/2 without TLS ("h2c" with prior
	// knowledge, RFC 9113, section 3.3).
	Listener net.Listener
	// TLSListener, if not nil, takes the same over TLS, with a certificate made at the start that
	// nobody has a reason to trust.
	TLSListener net.Listener
	// Drain is how long requests are still accepted after the context ended, see DefaultDrain.
	Drain time.Duration
	// Grace is how long requests under way may take after that, see DefaultGrace.
	Grace time.Duration
	// Log takes what happens to the server, and a line for every request if LogRequests is set.
	Log         *slog.Logger
	LogRequests bool

	// after stands for time.After in tests.
	after func(time.Duration) <-chan time.Time
}

// Listen opens a TCP port on every address of the pod; 0 takes any free one.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return nil, fmt.Errorf("port %d: %w", port, err)
	}
	return l, nil
}

// Run serves until the context ends, then drains: it answers 503 on /readyz, asks clients to close
// their connections, and still accepts requests for s.Drain. Then it closes its ports, lets the
// requests under way finish within s.Grace, and returns nil. It returns ErrCrash at once after POST
// /crash. It closes the listeners in any case and may be called once.
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
	defer func() { _ = srv.Close() }() // after Shutdown there is nothing left to close

	select {
	case err := <-failed:
		return err
	case <-life.crashed:
		return ErrCrash
	case <-ctx.Done():
	}
	s.Log.Info("stopping: serving on until clients know", "drain", s.Drain)
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

// finish lets what is under way end. Shutdown knows nothing of upgraded connections, so they are
// waited for apart.
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
		return fmt.Errorf("requests still under way %s after the drain were cut off: %w", s.Grace, err)
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

// serve starts a goroutine for each listener and returns where their failures arrive.
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
	pair, err := pki.SelfSigned(pki.Leaf{User: name, Hosts: []string{name}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, 365*24*time.Hour)
	if err != nil {
		return tls.Certificate{}, err
	}
	return pair.TLS()
}
