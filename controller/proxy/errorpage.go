package proxy

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/controller/balancer"
)

// errorTries is the maximum number of endpoints of an error backend to try for one page.
const errorTries = 3

// interceptedError makes the engine discard an endpoint's response, so that the error backend
// answers.
type interceptedError struct{ status int }

func (e *interceptedError) Error() string { return fmt.Sprintf("endpoint returned %d", e.status) }

// wantsErrorPage reports whether the error backend replaces a response with this status (annotation
// custom-http-errors), from an endpoint or from the proxy. A gRPC client could not parse a page.
func (x *exchange) wantsErrorPage(status int) bool {
	policy := x.decision.Policy
	if policy == nil || policy.ErrorPool == nil || !slices.Contains(policy.Errors.Codes, status) {
		return false
	}
	if x.refused != nil || x.decision.Unavailable != 0 {
		return false // the error backend itself failed
	}
	if strings.HasPrefix(x.request.Header.Get("Content-Type"), "application/grpc") || x.request.Context().Err() != nil {
		return false
	}
	pool := x.view.pools[policy.ErrorPool]
	return pool != nil && len(pool.Endpoints()) > 0
}

// answerErrorPage replaces a refusal with the response of the error backend. The client gets the
// error backend's status.
//
// The error backend gets a new request: GET or HEAD of "/", with header fields that describe the
// error. The client's request is not forwarded: a refused request must not reach any backend.
func (s *Server) answerErrorPage(x *exchange, r *refusal) (done bool) {
	if !x.wantsErrorPage(r.status) {
		return false
	}
	x.refused = r
	if x.last != nil {
		x.last.finish()
		x.last = nil
	}
	if route := x.decision.Route; x.decision.Timeouts.Connect == 0 && route != nil {
		x.decision.Timeouts = route.Timeouts
	}
	request := x.request.WithContext(x.request.Context())
	request.Header, request.Body, request.ContentLength, request.Trailer = http.Header{}, http.NoBody, 0, nil
	s.errorEngine.ServeHTTP(&x.response, request)
	return true
}

// rewriteForErrorPage makes the request for the error backend. Its header is the client's without
// credentials and conditional fields: a page is the same for all users, and never "not modified".
func rewriteForErrorPage(pr *httputil.ProxyRequest) {
	x, out := exchangeOf(pr.In.Context()), pr.Out
	if out.Method != http.MethodHead {
		out.Method = http.MethodGet
	}
	out.URL = &url.URL{Scheme: "http", Path: "/"}
	out.Host = x.request.Host
	out.Header = x.copyHeader()
	for name := range out.Header {
		if isConditional(name) || name == "Authorization" || name == "Content-Type" {
			delete(out.Header, name)
		}
	}
	x.setForwarded(out.Header)
	x.dropAuthHeaders(out.Header)
	x.setErrorHeaders(out.Header, x.refused.status)
}

// setErrorHeaders describes the error to the error backend, with the header names of ingress-nginx:
// https://kubernetes.github.io/ingress-nginx/user-guide/custom-errors/.
func (x *exchange) setErrorHeaders(h http.Header, status int) {
	for name, value := range map[string]string{
		"X-Code":         strconv.Itoa(status),
		"X-Format":       x.request.Header.Get("Accept"),
		"X-Original-Uri": x.variable("request_uri"),
		"X-Namespace":    x.variable("namespace"),
		"X-Ingress-Name": x.variable("ingress_name"),
		"X-Service-Name": x.variable("service_name"),
		"X-Service-Port": x.variable("service_port"),
		"X-Request-Id":   x.record.RequestID,
	} {
		setOrDelete(h, name, value)
	}
}

// forwardToErrorPool tries the endpoints of the error backend in turn. The request is safe to
// repeat.
func forwardToErrorPool(out *http.Request) (*http.Response, error) {
	x := exchangeOf(out.Context())
	pool, err := x.view.pools[x.decision.Policy.ErrorPool], errNoEndpoint
	var tried []*balancer.Endpoint
	for len(tried) < errorTries {
		endpoint := pool.Pick(balancer.Choice{Tried: tried})
		if endpoint == nil {
			break
		}
		tried = append(tried, endpoint)
		try := x.newAttempt(out.Context(), endpoint)
		try.body, try.secure = nil, false // error backends speak HTTP, regardless of the route's backend protocol
		var response *http.Response
		if response, err = try.send(out, x.view.transport(endpoint, nil)); err == nil {
			endpoint.Succeeded()
			x.last = try
			return response, nil
		}
		try.finish()
		if x.request.Context().Err() != nil {
			break
		}
		try.blame(failure{blame: true}, err)
	}
	return nil, err
}

// finishErrorPage completes the header of an error page with the fields of a refusal.
func (s *Server) finishErrorPage(response *http.Response) error {
	x, h := exchangeOf(response.Request.Context()), response.Header
	if len(h["Server"]) == 0 {
		h.Set("Server", serverName)
	}
	s.setOwnHeader(h, x, response.StatusCode)
	for name, values := range x.refused.header {
		h[name] = values
	}
	if x.refused.closeConn {
		h.Set("Connection", "close")
	}
	return nil
}

// answerErrorPageFailure writes the plain refusal if the error backend fails.
func (s *Server) answerErrorPageFailure(_ http.ResponseWriter, out *http.Request, err error) {
	x := exchangeOf(out.Context())
	x.refused.reason += "; the error backend failed: " + err.Error()
	s.refuse(x, x.refused)
}
