package proxy

import (
	"context"
	"crypto/sha256"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Options configure a Server. The zero value is valid.
type Options struct {
	// Dial opens connections to endpoints. If it is nil, the server uses a net.Dialer. The context
	// of a call ends with the request's connect timeout.
	Dial DialFunc
	// DialExternal opens connections to URLs in annotations: auth services and mirrors. If it is
	// nil, the server uses a net.Dialer that refuses loopback, link-local, multicast and
	// unspecified addresses.
	DialExternal DialFunc
	// Explain adds X-Ingresslab-* fields to each response: the matched Ingress and rule, the
	// endpoint, and the reason. They reveal object names, so don't use them on the internet.
	Explain bool
	// Observe is called once per request, after its last byte, from the request's goroutine.
	Observe func(*Record)
	// Log receives failures between the proxy and an endpoint. If it is nil, they are discarded.
	Log *slog.Logger
}

// Server is the data plane: an http.Handler that executes the current table's decision for each
// request. It starts with an empty table, which answers 404.
type Server struct {
	explain      bool
	observe      func(*Record)
	log          *slog.Logger
	dial         DialFunc
	dialExternal DialFunc
	registry     *balancer.Registry
	limiter      *balancer.Limiter
	engine       *httputil.ReverseProxy
	// errorEngine forwards error pages.
	errorEngine *httputil.ReverseProxy
	view        atomic.Pointer[view]
	inFlight    atomic.Int64

	// outside connects to auth services and mirrors. authAnswers caches auth responses, and
	// passwords caches password checks.
	outside     *http.Transport
	authAnswers *cache[[sha256.Size]byte, *authAnswer]
	passwords   *passwords
	mirrors     mirrors
	requests    atomic.Uint64
	draining    atomic.Bool
}

// New returns a Server.
func New(o Options) *Server {
	s := &Server{
		explain:  o.Explain,
		observe:  o.Observe,
		log:      o.Log,
		dial:     o.Dial,
		registry: balancer.NewRegistry(nil),
		limiter:  balancer.NewLimiter(balancer.LimiterCapacity),

		dialExternal: externalDial(o.DialExternal),
		outside:      newExternalTransport(externalDial(o.DialExternal)),
		authAnswers:  newCache[[sha256.Size]byte, *authAnswer](authCacheSize),
		passwords:    newPasswords(),
		mirrors:      mirrors{slots: make(chan struct{}, maxMirrors)},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.observe == nil {
		s.observe = func(*Record) {}
	}
	buffers := &buffers{}
	s.engine = &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      roundTripper(forward),
		ModifyResponse: s.finishHeader,
		ErrorHandler:   s.answerFailure,
		BufferPool:     buffers,
		ErrorLog:       silent,
	}
	s.errorEngine = &httputil.ReverseProxy{
		Rewrite:        rewriteForErrorPage,
		Transport:      roundTripper(forwardToErrorPool),
		ModifyResponse: s.finishErrorPage,
		ErrorHandler:   s.answerErrorPageFailure,
		BufferPool:     buffers,
		ErrorLog:       silent,
	}
	s.Swap(&routing.Table{})
	return s
}

// silent discards the engine's log: the request's Record has more context.
var silent = log.New(io.Discard, "", 0)

// Swap makes t the table of all new requests; requests in flight keep their table. It closes the
// idle connections of endpoints that are no longer in any pool. Only one goroutine at a time can
// call it.
func (s *Server) Swap(t *routing.Table) {
	old := s.view.Load()
	next, gone := newView(t, s.registry, old, s.dial, s.dialExternal)
	s.view.Store(next)
	for _, endpoint := range gone {
		old.transports[endpoint].closeIdle()
	}
}

// Table returns the current table.
func (s *Server) Table() *routing.Table { return s.view.Load().table }

// Endpoints returns the live state of all endpoints of the current table, sorted by pool and
// address.
func (s *Server) Endpoints() []*balancer.Endpoint { return s.registry.Endpoints() }

// InFlight returns the number of requests being served, upgraded connections included.
func (s *Server) InFlight() int64 { return s.inFlight.Load() }

// Requests returns the number of requests since the start.
func (s *Server) Requests() uint64 { return s.requests.Load() }

// Drain makes each further response the last of its connection, so that clients move to another
// replica. It doesn't interrupt requests.
func (s *Server) Drain() { s.draining.Store(true) }

// WaitIdle waits until no request is in flight. The error is the cause of ctx.
func (s *Server) WaitIdle(ctx context.Context) error {
	const look = 10 * time.Millisecond
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for s.InFlight() > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// CloseIdle closes all idle connections, at the end of the process.
func (s *Server) CloseIdle() {
	for _, transport := range s.view.Load().transports {
		transport.closeIdle()
	}
	s.outside.CloseIdleConnections()
}

// ServeHTTP decides about the request, runs the steps, and forwards it to an endpoint.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	x := s.newExchange(w, r)
	defer s.finish(x)

	target, refused := checkShape(r)
	if refused != nil {
		x.record.Step = StepShape
		s.refuse(x, refused)
		return
	}
	x.target = target
	x.routed = routing.Request{
		Method:   r.Method,
		Protocol: r.Proto,
		Host:     r.Host,
		Path:     target,
		Header:   r.Header,
		Client:   x.client,
		TLS:      x.secure,
		Query:    r.URL.RawQuery,
		Port:     x.port,
		ID:       x.record.RequestID,
		Random:   rand.Float64(),
	}
	x.decision = x.view.table.Decide(x.routed)
	x.recordDecision()
	x.setHSTS()
	for _, step := range steps {
		if done := step.do(s, x); done {
			x.record.Step = step.name
			return
		}
	}
	x.pool = x.view.pools[x.decision.Pool]
	s.engine.ServeHTTP(&x.response, x.request)
}

// The steps that can answer a request without an endpoint, in their order.
const (
	// StepShape refuses malformed requests; it precedes the decision.
	StepShape = "shape"
	// StepCertificate checks the client's certificate.
	StepCertificate = "certificate"
	// StepDecision answers refused and redirected requests, and CORS preflights.
	StepDecision = "decision"
	// StepLimits applies rate and connection limits.
	StepLimits = "limits"
	// StepAuth authenticates the client.
	StepAuth = "auth"
	// StepBody refuses a body that is too large.
	StepBody = "body"
)

// steps are the steps of a decision that need no endpoint. Each reports whether it has answered the
// request. Then no further step runs.
var steps = []struct {
	name string
	do   func(*Server, *exchange) (done bool)
}{
	{StepCertificate, (*Server).checkClientCertificate}, // clienttls.go
	{StepDecision, (*Server).answerDecision},            // answer.go
	{StepLimits, (*Server).applyLimits},                 // limits.go
	{StepAuth, (*Server).authenticate},                  // auth.go
	{StepBody, (*Server).checkBody},                     // bodysize.go
	{"mirror", (*Server).mirror},                        // mirror.go; it never answers
}
