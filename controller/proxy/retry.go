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

// Another endpoint is tried when three things come together: the route wants it after this sort of failure
// (proxy-next-upstream), there are tries and time left (proxy-next-upstream-tries and -timeout), and it is safe. The first
// two are the author's to say. The last one is ours: what may have had an effect is not done twice, unless the author
// asks for that too (non_idempotent).

// nextUpstream is what the route says about other endpoints.
func (x *exchange) nextUpstream() annotations.Proxy {
	if x.decision.Policy == nil {
		return annotations.Proxy{}
	}
	return x.decision.Policy.Proxy
}

// pick chooses the next endpoint; nil when there is none left, or none left for this request.
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

// mayRetry reports whether another endpoint may get the request after one try failed with err.
func (x *exchange) mayRetry(try *attempt, err error) bool {
	rule := x.nextUpstream().NextUpstream
	switch {
	case x.request.Context().Err() != nil:
		return false
	case isTimeout(err):
		if !rule.Timeout {
			return false
		}
	case try.answered.Load() && !brokeOff(err):
		if !rule.InvalidHeader {
			return false
		}
	case !rule.Error:
		return false
	}
	return x.mayRepeat(try)
}

// mayRepeat reports whether it is safe to send the request once more. It is when nothing of it can have had an effect (the
// connection did not come about), and when a repetition has no effect of its own (an idempotent request without a body:
// RFC 9110, 9.2.2). A body that was begun is gone: it is passed on, never kept.
func (x *exchange) mayRepeat(try *attempt) bool {
	if x.body != nil && x.body.touched.Load() {
		return false
	}
	if !try.sent.Load() || x.nextUpstream().NextUpstream.NonIdempotent {
		return true
	}
	return x.body == nil && idempotent(x.request.Method)
}

// refusedAnswer reports whether the status of a response counts as a failure for the route.
func (x *exchange) refusedAnswer(response *http.Response) bool {
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

// brokeOff reports whether the connection ended, as against an answer that is not HTTP.
func brokeOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isDial(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

func isTimeout(err error) bool {
	return errors.Is(err, errConnectTimeout) || errors.Is(err, errReadTimeout) || errors.Is(err, errSendTimeout)
}
