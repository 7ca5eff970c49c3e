package proxy

import (
	"context"
	"net/http"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// roundTripper makes a function an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// forward sends the request to an endpoint of the exchange's pool, and to another one when that is safe and the route
// wants it, until one answers.
func forward(out *http.Request) (*http.Response, error) {
	x := exchangeOf(out.Context())
	endpoint := x.pick()
	if endpoint == nil {
		return nil, errNoEndpoint
	}
	for {
		try := x.newAttempt(out.Context(), endpoint)
		response, err := try.send(out, x.view.transport(endpoint, x.spoken()))
		if err != nil {
			try.finish()
			try.blame(x.classify(err), err)
			if !x.mayRetry(try, err) {
				return nil, err
			}
			if endpoint = x.pick(); endpoint == nil {
				return nil, err
			}
			continue
		}
		try.endpoint.Succeeded()
		if x.refusedAnswer(response) && x.mayRepeat(try) {
			if next := x.pick(); next != nil {
				_ = response.Body.Close() // nobody wants the rest
				try.finish()
				endpoint = next
				continue
			}
		}
		x.last = try
		return response, nil
	}
}

// spoken is the policy that says how the endpoints of the exchange's pool are spoken to; nil: in plain HTTP, as to an error
// back-end that stands in for them.
func (x *exchange) spoken() *routing.Policy {
	if x.decision.Unavailable != 0 {
		return nil
	}
	return x.decision.Policy
}

// newAttempt counts the request as in flight at the endpoint. The attempt must be finished.
func (x *exchange) newAttempt(ctx context.Context, endpoint *balancer.Endpoint) *attempt {
	endpoint.Begin()
	a := &attempt{
		endpoint: endpoint, timeouts: x.decision.Timeouts, body: x.body,
		secure: dialectOf(x.spoken()).protocol.TLS(),
	}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.reply.expire = a.cancel
	a.upload.expire = a.cancel
	return a
}
