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

// Options are what a Server needs from outside. The zero value works.
type Options struct {
	// Dial opens connections to endpoints; nil means a net.Dialer. It is called with a context that ends with the
	// connect time-out of the request.
	Dial DialFunc
	// DialOutside opens connections to what annotations name by URL, auth services and mirrors; nil means a net.Dialer that
	// refuses loopback, link-local, multicast and unspecified addresses.
	DialOutside DialFunc
	// Explain adds X-Ingresslab-* headers to every response that say which Ingress, rule and endpoint answered, and why.
	// They name objects of the cluster: not for the open internet.
	Explain bool
	// Observe is called once for every request, after its last byte, from the request's goroutine.
	Observe func(*Record)
	// Log takes what goes wrong between the proxy and an endpoint; nil discards it.
	Log *slog.Logger
}

// Server is the data plane: an http.Handler that does with each request what the current table decides. It starts with an
// empty table, which answers 404.
type Server struct {
	explain     bool
	observe     func(*Record)
	log         *slog.Logger
	dial        DialFunc
	dialOutside DialFunc
	registry    *balancer.Registry
	limiter     *balancer.Limiter
	engine      *httputil.ReverseProxy
	// errorEngine passes error pages on.
	errorEngine *httputil.ReverseProxy
	view        atomic.Pointer[view]
	inFlight    atomic.Int64

	// outside leads to auth services and mirrors, authAnswers is what the former said, passwords what was checked.
	outside     *http.Transport
	authAnswers *recent[[sha256.Size]byte, *authAnswer]
	passwords   *passwords
	mirrors     mirrors
	requests    atomic.Uint64
	draining    atomic.Bool
}

// New makes a Server.
func New(o Options) *Server {
	s := &Server{
		explain:  o.Explain,
		observe:  o.Observe,
		log:      o.Log,
		dial:     o.Dial,
		registry: balancer.NewRegistry(nil),
		limiter:  balancer.NewLimiter(balancer.LimiterCapacity),

		dialOutside: outsideDial(o.DialOutside),
		outside:     newOutside(outsideDial(o.DialOutside)),
		authAnswers: newRecent[[sha256.Size]byte, *authAnswer](authMemory),
		passwords:   newPasswords(),
		mirrors:     mirrors{slots: make(chan struct{}, mirrorsAtOnce)},
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

// silent drops what the engine would print: it is in the Record of the request, with more context.
var silent = log.New(io.Discard, "", 0)

// Swap makes t the table of all requests that start from now on; those in flight finish with the one they started with.
// Connections that wait idle for endpoints which are no longer in any pool are closed. It must not be called by two
// goroutines at once.
func (s *Server) Swap(t *routing.Table) {
	old := s.view.Load()
	next, gone := newView(t, s.registry, old, s.dial, s.dialOutside)
	s.view.Store(next)
	for _, endpoint := range gone {
		old.transports[endpoint].closeIdle()
	}
}

// Table is the table that decides now.
func (s *Server) Table() *routing.Table { return s.view.Load().table }

// Endpoints is the live state of all endpoints of the current table, sorted by pool and address.
func (s *Server) Endpoints() []*balancer.Endpoint { return s.registry.Endpoints() }

// InFlight is the number of requests being served, upgraded connections included.
func (s *Server) InFlight() int64 { return s.inFlight.Load() }

// Requests is the number of requests since the start.
func (s *Server) Requests() uint64 { return s.requests.Load() }

// Drain makes every response from now on the last one of its connection, so that clients move to another replica. Nothing
// is cut off.
func (s *Server) Drain() { s.draining.Store(true) }

// WaitIdle waits until no request is in flight. The error is ctx's.
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

// CloseIdle closes all connections that wait for work; at the end of the process there will be none.
func (s *Server) CloseIdle() {
	for _, transport := range s.view.Load().transports {
		transport.closeIdle()
	}
	s.outside.CloseIdleConnections()
}

// ServeHTTP decides about the request and does what was decided.
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
	x.asked = routing.Request{
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
		Draw:     rand.Float64(),
	}
	x.decision = x.view.table.Decide(x.asked)
	x.noteDecision()
	x.promiseTLS()
	for _, step := range steps {
		if done := step.do(s, x); done {
			x.record.Step = step.name
			return
		}
	}
	x.pool = x.view.pools[x.decision.Pool]
	s.engine.ServeHTTP(&x.response, x.request)
}

// Steps that may answer a request before an endpoint is asked, in their order.
const (
	// StepShape refuses what is no well-formed request; it comes before the decision.
	StepShape = "shape"
	// StepCertificate asks for the client's certificate.
	StepCertificate = "certificate"
	// StepDecision answers what the table refuses or redirects, and preflights.
	StepDecision = "decision"
	// StepLimits counts the client's requests.
	StepLimits = "limits"
	// StepAuth asks who the client is.
	StepAuth = "auth"
	// StepBody refuses a body that is too large.
	StepBody = "body"
)

// steps carry a decision out, up to the point where an endpoint is needed. Each reports that it has answered the request,
// which is then over.
var steps = []struct {
	name string
	do   func(*Server, *exchange) (done bool)
}{
	{StepCertificate, (*Server).askCertificate}, // clienttls.go
	{StepDecision, (*Server).answerDecision},    // answer.go
	{StepLimits, (*Server).applyLimits},         // limits.go
	{StepAuth, (*Server).authenticate},          // auth.go
	{StepBody, (*Server).checkBody},             // bodysize.go
	{"mirror", (*Server).mirror},                // mirror.go; it never answers
}
