package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// Addresses are the addresses that the controller listens on, as host:port.
type Addresses struct {
	HTTP, HTTPS, Status, Metrics string
	// Admission is empty without --admission.
	Admission string
}

// listeners are the bound ports. admission is nil without --admission.
type listeners struct {
	http, https, status, metrics, admission net.Listener
}

// bind binds all ports before any other work, so that a port in use is an error at once.
func bind(ctx context.Context, c Config) (*listeners, error) {
	var l listeners
	var config net.ListenConfig
	type port struct {
		flag   string
		number int
		to     *net.Listener
	}
	ports := []port{
		{"--http-port", c.HTTPPort, &l.http}, {"--https-port", c.HTTPSPort, &l.https},
		{"--status-port", c.StatusPort, &l.status}, {"--metrics-port", c.MetricsPort, &l.metrics},
	}
	if c.Admission {
		ports = append(ports, port{"--admission-port", c.AdmissionPort, &l.admission})
	}
	for _, port := range ports {
		listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(c.BindAddress, strconv.Itoa(port.number)))
		if err != nil {
			l.close()
			return nil, fmt.Errorf("%s: %w", port.flag, err)
		}
		*port.to = listener
	}
	return &l, nil
}

func (l *listeners) close() {
	for _, listener := range []net.Listener{l.http, l.https, l.status, l.metrics, l.admission} {
		if listener != nil {
			_ = listener.Close() // no connection was accepted
		}
	}
}

func (l *listeners) addresses() Addresses {
	a := Addresses{
		HTTP: l.http.Addr().String(), HTTPS: l.https.Addr().String(),
		Status: l.status.Addr().String(), Metrics: l.metrics.Addr().String(),
	}
	if l.admission != nil {
		a.Admission = l.admission.Addr().String()
	}
	return a
}

// servers are the HTTP servers. The servers for user traffic stop first. The others stop last, so
// that probes, scrapes, and reviews work until the end.
type servers struct {
	http, https, status, metrics, admission *http.Server
	failed                                  chan error
}

func (c *Controller) newServers(requests context.Context) *servers {
	data := func() *http.Server {
		server := proxy.NewHTTPServer(requests, c.server)
		server.ConnState = c.connections.Track
		return server
	}
	return &servers{
		http: data(), https: data(),
		status:    inside(c.dashboard),
		metrics:   inside(c.metricsHandler()),
		admission: inside(c.reviews().Handler(c.log)),
		failed:    make(chan error, 6),
	}
}

// inside returns a server for clients in the cluster, with short timeouts.
func inside(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // errors of clients
	}
}

// serve runs a server until it is shut down, and reports an error that ends it earlier.
func (s *servers) serve(server *http.Server, l net.Listener) {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.failed <- fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
}

// report reports a fatal error of another part.
func (s *servers) report(err error) {
	if err != nil {
		s.failed <- err
	}
}

// close stops all servers at once.
func (s *servers) close() {
	for _, server := range []*http.Server{s.http, s.https, s.status, s.metrics, s.admission} {
		_ = server.Close() // the listener might be closed already
	}
}

func (c *Controller) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", c.metrics.Handler())
	mux.Handle("GET /healthz", probe(c.health.healthy))
	mux.Handle("GET /readyz", probe(c.health.ready))
	return mux
}
