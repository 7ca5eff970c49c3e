package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// exchange is one request and its response: what was decided, which endpoints were tried, and what is to be recorded. It
// belongs to the goroutine that serves the request.
type exchange struct {
	response responseWriter
	request  *http.Request
	record   Record
	origin
	// target is the path of the request target as the client sent it, byte for byte, without the query.
	target string

	view *view
	// asked is what the table was asked, decision what it said.
	asked    routing.Request
	decision routing.Decision
	// certificate is what the host makes of the client's; nil when it does not ask for one.
	certificate *verdict
	pool        *balancer.Pool
	tried       []*balancer.Endpoint
	body        *clientBody
	// last is the try whose response is being passed on; nil when there is none.
	last *attempt

	// leave gives back the place that the request has under limit-connections; nil when it has none.
	leave func()
	// auth is what the external auth service said; nil when it was not asked, or did not answer.
	auth *authAnswer
	// refused is what the error back-end answers for; nil when it was not asked.
	refused *refusal
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

func (s *Server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{view: s.view.Load()}
	// A copy, which we may change: net/http looks at its own to see what became of the body.
	x.request = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	x.origin = originOf(r, &x.view.settings)
	x.response.init(r.Context(), w)
	x.record = Record{
		Time:      time.Now(),
		Method:    r.Method,
		Host:      r.Host,
		Path:      r.URL.EscapedPath(),
		Protocol:  r.Proto,
		Client:    x.client.String(),
		TLS:       r.TLS != nil,
		RequestID: requestID(r.Header),
		Referer:   r.Header.Get("Referer"),
		UserAgent: r.Header.Get("User-Agent"),
	}
	return x
}

// noteDecision copies into the record what the table decided.
func (x *exchange) noteDecision() {
	x.record.Path = x.target
	if route := x.decision.Route; route != nil && route.Ingress.Name != "" {
		x.record.Ingress = route.Ingress.String()
		x.record.Rule = route.Field
	}
	if policy := x.decision.Policy; policy != nil {
		x.record.Unlogged = policy.Unlogged
	}
	if x.decision.Pool != nil {
		x.record.Service = x.decision.Pool.Key()
	} else if x.decision.Route != nil && x.decision.Route.Pool != nil {
		x.record.Service = x.decision.Route.Pool.Key()
	}
}

// finish closes the books on a request. It also runs when the engine panics with http.ErrAbortHandler, which is how a
// response that broke off in the middle is made to look broken to the client.
func (s *Server) finish(x *exchange) {
	if x.leave != nil {
		x.leave()
	}
	if x.last != nil {
		x.last.finish()
		if x.last.bodyErr != nil && x.record.Reason == "" {
			f := x.classify(x.last.bodyErr)
			x.record.Reason = "response broke off: " + f.reason
			x.last.blame(f, x.last.bodyErr)
			s.logFailure(x, f, x.last.bodyErr)
		}
	}
	x.boundRest()
	if x.body != nil {
		x.body.abandon()
		x.record.BytesIn = x.body.count.Load()
	}
	x.record.Tries = len(x.tried)
	x.record.Status = x.response.status
	x.record.BytesOut = x.response.bytes
	x.record.Duration = time.Since(x.record.Time)
	s.observe(&x.record)
}
