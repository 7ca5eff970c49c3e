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

// errorTries is how many endpoints of an error back-end are asked for a page.
const errorTries = 3

// interceptedError makes the engine drop an endpoint's response, in whose place the error back-end answers.
type interceptedError struct{ status int }

func (e *interceptedError) Error() string { return fmt.Sprintf("endpoint answered %d", e.status) }

// wantsErrorPage says whether the error back-end answers in the place of a status (annotation custom-http-errors), whether it
// is an endpoint's or ours. A client that speaks gRPC could not read a page.
func (x *exchange) wantsErrorPage(status int) bool {
	policy := x.decision.Policy
	if policy == nil || policy.ErrorPool == nil || !slices.Contains(policy.Errors.Codes, status) {
		return false
	}
	if x.refused != nil || x.decision.Unavailable != 0 {
		return false // it is the error back-end that failed
	}
	if strings.HasPrefix(x.request.Header.Get("Content-Type"), "application/grpc") || x.request.Context().Err() != nil {
		return false
	}
	pool := x.view.pools[policy.ErrorPool]
	return pool != nil && len(pool.Endpoints()) > 0
}

// answerErrorPage has the error back-end answer in the place of a refusal. The status that the client sees is the one that the
// error back-end gives it.
//
// What it gets is a question of its own, a GET or HEAD of "/" that says in headers what went wrong. The request itself goes
// nowhere: one that was refused must not reach anybody by way of its own refusal.
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
	question := x.request.WithContext(x.request.Context())
	question.Header, question.Body, question.ContentLength, question.Trailer = http.Header{}, http.NoBody, 0, nil
	s.errorEngine.ServeHTTP(&x.response, question)
	return true
}

// rewriteForErrorPage makes the question to the error back-end. Its header is the client's without credentials and
// conditions: a page about an error is the same for all users, and is never "not modified".
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

// setErrorHeaders tells the error back-end what it answers for; the names are those of ingress-nginx,
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

// forwardToErrorPool asks one endpoint of the error back-end after the other. The question is safe to repeat.
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
		try.body, try.secure = nil, false // error back-ends speak HTTP, whatever the endpoints of the route do
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

// finishErrorPage completes the header of an error page: the client learns from it what it would from a plain refusal.
func (s *Server) finishErrorPage(response *http.Response) error {
	x, h := exchangeOf(response.Request.Context()), response.Header
	if len(h["Server"]) == 0 {
		h.Set("Server", serverName)
	}
	s.ownHeader(h, x, response.StatusCode)
	for name, values := range x.refused.header {
		h[name] = values
	}
	if x.refused.hangUp {
		h.Set("Connection", "close")
	}
	return nil
}

// answerErrorPageFailure refuses in the plain way when there is no error page.
func (s *Server) answerErrorPageFailure(_ http.ResponseWriter, out *http.Request, err error) {
	x := exchangeOf(out.Context())
	x.refused.reason += "; the error back-end does not answer: " + err.Error()
	s.refuse(x, x.refused)
}
