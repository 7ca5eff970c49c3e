package proxy

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/ingresslab/ingresslab/controller/upstream"
)

// roundTripper makes a function an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// forward sends the request to an endpoint of the exchange's pool, and to another one when that is safe, until one
// answers.
func forward(out *http.Request) (*http.Response, error) {
	x := exchangeOf(out.Context())
	err := errNoEndpoint
	for len(x.tried) < maxTries {
		endpoint := x.pool.Pick(x.choice())
		if endpoint == nil {
			return nil, err
		}
		x.tried = append(x.tried, endpoint)
		x.record.Endpoint, x.record.Pod = endpoint.Address().String(), endpoint.Pod()
		try := x.newAttempt(out.Context(), endpoint)
		var response *http.Response
		if response, err = try.send(out, x.view.transports[endpoint]); err == nil {
			endpoint.Succeeded()
			x.last = try
			return response, nil
		}
		try.finish()
		try.blame(x.classify(err), err)
		if !x.mayRetry(try, err) {
			return nil, err
		}
	}
	return nil, err
}

// mayRetry reports whether another endpoint may get the request after one try failed with err. It may when nothing of the
// request can have had an effect (the connection did not come about), and when a repetition has no effect of its own (an
// idempotent request without a body whose connection broke before any byte of a response: RFC 9110, 9.2.2). A time-out
// is no such break: the endpoint may still be at work.
func (x *exchange) mayRetry(try *attempt, err error) bool {
	if x.request.Context().Err() != nil || x.body != nil && x.body.touched.Load() {
		return false
	}
	if isDial(err) {
		return true
	}
	if !try.connected.Load() || try.answered.Load() || isTimeout(err) {
		return false
	}
	return !try.sent.Load() || x.body == nil && idempotent(x.request.Method)
}

func idempotent(method string) bool {
	return slices.Contains([]string{
		http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete,
	}, method)
}

func isDial(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

func isTimeout(err error) bool {
	return errors.Is(err, errConnectTimeout) || errors.Is(err, errReadTimeout) || errors.Is(err, errSendTimeout)
}

// newAttempt counts the request as in flight at the endpoint. The attempt must be finished.
func (x *exchange) newAttempt(ctx context.Context, endpoint *upstream.Endpoint) *attempt {
	endpoint.Begin()
	a := &attempt{endpoint: endpoint, timeouts: x.decision.Timeouts, body: x.body}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.reply.expire = a.cancel
	a.upload.expire = a.cancel
	return a
}
