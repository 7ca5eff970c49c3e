package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
)

// nextUpstream returns the route's conditions for trying another endpoint.
func (x *exchange) nextUpstream() annotations.Proxy {
	if x.decision.Policy == nil {
		return annotations.Proxy{}
	}
	return x.decision.Policy.Proxy
}

// pick selects the next endpoint. It returns nil if none is left, or if the request can't use it.
func (x *exchange) pick() *balancer.Endpoint {
	if len(x.tried) > 0 {
		rule := x.nextUpstream()
		if rule.Tries > 0 && len(x.tried) >= rule.Tries {
			return nil
		}
		if rule.NextUpstreamTimeout > 0 && time.Since(x.record.Time) >= rule.NextUpstreamTimeout {
			return nil
		}
	}
	endpoint := x.pool.Pick(x.choice())
	if endpoint != nil {
		x.tried = append(x.tried, endpoint)
		x.record.Endpoint, x.record.Pod = endpoint.HostPort(), endpoint.Pod()
	}
	return endpoint
}

// mayRetry reports whether another endpoint can get the request after a try failed with err.
// Three conditions must hold: the route allows it for this kind of failure (proxy-next-upstream),
// tries and time are left (proxy-next-upstream-tries and -timeout), and it is safe (mayRepeat) or
// the annotation includes non_idempotent.
func (x *exchange) mayRetry(try *attempt, err error) bool {
	rule := x.nextUpstream().NextUpstream
	switch {
	case x.request.Context().Err() != nil:
		return false
	case isTimeout(err):
		if !rule.Timeout {
			return false
		}
	case try.answered.Load() && !connectionEnded(err):
		if !rule.InvalidHeader {
			return false
		}
	case !rule.Error:
		return false
	}
	return x.mayRepeat(try)
}

// mayRepeat reports whether the request can safely be sent again. It can if the first try had no
// effect (no connection was established), or if the request is idempotent (RFC 9110, 9.2.2) and has
// no body. A body that was read is lost: it is streamed, never stored.
func (x *exchange) mayRepeat(try *attempt) bool {
	if x.body != nil && x.body.touched.Load() {
		return false
	}
	if !try.sent.Load() || x.nextUpstream().NextUpstream.NonIdempotent {
		return true
	}
	return x.body == nil && idempotent(x.request.Method)
}

// isFailedResponse reports whether the response's status counts as a failure for the route.
func (x *exchange) isFailedResponse(response *http.Response) bool {
	statuses := x.nextUpstream().NextUpstream.Statuses
	return len(statuses) > 0 && slices.Contains(statuses, response.StatusCode) && x.request.Context().Err() == nil
}

func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// connectionEnded reports whether the connection ended, in contrast to an invalid HTTP response.
func connectionEnded(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isDial(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

func isTimeout(err error) bool {
	return errors.Is(err, errConnectTimeout) || errors.Is(err, errReadTimeout) || errors.Is(err, errSendTimeout)
}
