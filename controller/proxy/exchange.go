package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// exchange is one request and its response: the decision, the endpoints that were tried, and the
// record. Only the goroutine that serves the request uses it.
type exchange struct {
	response responseWriter
	request  *http.Request
	record   Record
	origin
	// target is the path as the client sent it, byte for byte, without the query.
	target string

	view *view
	// routed is the input of the routing decision, and decision is its result.
	routed   routing.Request
	decision routing.Decision
	// certificate is the verdict about the client's certificate, or nil if the host requires none.
	certificate *verdict
	pool        *balancer.Pool
	tried       []*balancer.Endpoint
	body        *clientBody
	// last is the try whose response is being forwarded. It is nil before that.
	last *attempt

	// releaseSlot releases the request's slot under limit-connections. It can be nil.
	releaseSlot func()
	// auth is the response of the external auth service. It is nil if the proxy sent no request to
	// the service, or got no response.
	auth *authAnswer
	// refused is the refusal that the error backend replaces, or nil if it got no request.
	refused *refusal
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

func (s *Server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{view: s.view.Load()}
	// The proxy changes this copy. net/http uses the original to check whether the body was read.
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

// recordDecision copies the decision into the record.
func (x *exchange) recordDecision() {
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

// finish completes the record of a request. It also runs when the engine panics with
// http.ErrAbortHandler. The panic aborts an incomplete response, so that the client notices.
func (s *Server) finish(x *exchange) {
	if x.releaseSlot != nil {
		x.releaseSlot()
	}
	if x.last != nil {
		x.last.finish()
		if x.last.bodyErr != nil && x.record.Reason == "" {
			f := x.classify(x.last.bodyErr)
			x.record.Reason = "incomplete response: " + f.reason
			x.last.blame(f, x.last.bodyErr)
			s.logFailure(x, f, x.last.bodyErr)
		}
	}
	x.boundUnreadBody()
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

// variable returns the value of an annotation's variable for this request.
func (x *exchange) variable(name string) string { return routing.Variables(x.routed, x.decision)(name) }

// expand replaces the variables in an annotation's text.
func (x *exchange) expand(t annotations.Template) string {
	return t.Expand(routing.Variables(x.routed, x.decision))
}
