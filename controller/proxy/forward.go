package proxy

import (
	"context"
	"net/http"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// roundTripper adapts a function to http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// forward sends the request to an endpoint of the exchange's pool. If the try fails, it tries
// another endpoint, if that is safe and the route allows it.
func forward(out *http.Request) (*http.Response, error) {
	x := exchangeOf(out.Context())
	endpoint := x.pick()
	if endpoint == nil {
		return nil, errNoEndpoint
	}
	for {
		try := x.newAttempt(out.Context(), endpoint)
		response, err := try.send(out, x.view.transport(endpoint, x.backendPolicy()))
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
		if x.isFailedResponse(response) && x.mayRepeat(try) {
			if next := x.pick(); next != nil {
				_ = response.Body.Close() // another endpoint's response replaces it
				try.finish()
				endpoint = next
				continue
			}
		}
		x.last = try
		return response, nil
	}
}

// backendPolicy returns the policy with the backend protocol of the exchange's pool. It is nil for plain
// HTTP, and for an error backend that replaces the pool.
func (x *exchange) backendPolicy() *routing.Policy {
	if x.decision.Unavailable != 0 {
		return nil
	}
	return x.decision.Policy
}

// newAttempt starts an attempt and counts it as in flight at the endpoint. The caller must call
// finish.
func (x *exchange) newAttempt(ctx context.Context, endpoint *balancer.Endpoint) *attempt {
	endpoint.Begin()
	a := &attempt{
		endpoint: endpoint, timeouts: x.decision.Timeouts, body: x.body,
		secure: dialectOf(x.backendPolicy()).protocol.TLS(),
	}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.reply.expire = a.cancel
	a.upload.expire = a.cancel
	return a
}

var algorithms = [...]balancer.Algorithm{
	annotations.RoundRobin: balancer.RoundRobin,
	annotations.LeastConn:  balancer.LeastConn,
	annotations.EWMA:       balancer.EWMA,
}

// choice returns how the balancer selects the next endpoint for the request.
func (x *exchange) choice() balancer.Choice {
	c := balancer.Choice{By: algorithms[x.decision.LoadBalance], HashKey: x.decision.HashKey, Tried: x.tried}
	if own := x.decision.Endpoint; own != nil {
		c.Prefer = x.pool.Find(identity(own))
		c.Insist = x.decision.Policy.Affinity.Persistent
	}
	return c
}

// identity returns the balancer's identity of an endpoint.
func identity(e *routing.Endpoint) balancer.Identity {
	t := balancer.Identity{Address: e.Address, Name: e.Name}
	if e.Pod.Name != "" {
		t.Pod = e.Pod.String()
	}
	return t
}
