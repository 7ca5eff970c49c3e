package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// authTimeout bounds the whole question to an external auth service. ingress-nginx waits as long as for an endpoint,
	// 60 s; a service that is asked before every request has no such time.
	authTimeout = 5 * time.Second
	// authBodyLimit is how much of the answer's body is read, and dropped, to use the connection again, in bytes.
	authBodyLimit = 64 << 10
)

var errAuthTimeout = errors.New("no answer within 5 s")

// authAnswer is what an external auth service said. It is shared and must not be changed.
type authAnswer struct {
	status int
	header http.Header
}

func (a *authAnswer) passes() bool { return a != nil && a.status >= 200 && a.status < 300 }

// decides is true for a yes and a no, and false for what a service that works would not say.
func (a *authAnswer) decides() bool {
	return a.passes() || a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
}

// askService asks the external auth service (annotation auth-url); nil means that the request may pass. The answers mean what
// they mean to nginx's auth_request (https://nginx.org/en/docs/http/ngx_http_auth_request_module.html): 2xx is yes,
// 401 and 403 are no, and everything else, silence included, is a failure that opens nothing.
func (s *Server) askService(x *exchange) *refusal {
	answer, err := s.authAnswer(x)
	if err != nil {
		s.log.LogAttrs(x.request.Context(), slog.LevelWarn, "external auth failed",
			slog.Any("error", err), slog.String("ingress", x.record.Ingress), slog.String("request_id", x.record.RequestID))
		if x.request.Context().Err() != nil {
			f := x.classify(err)
			return &refusal{status: f.status, reason: f.reason}
		}
		return &refusal{status: http.StatusInternalServerError, reason: "auth service: " + err.Error()}
	}
	x.auth = answer
	switch {
	case answer.passes():
		return nil
	case answer.status == http.StatusUnauthorized:
		return x.unauthorized()
	case answer.status == http.StatusForbidden:
		return &refusal{status: http.StatusForbidden, reason: "the auth service answered 403"}
	default:
		return &refusal{
			status: http.StatusInternalServerError,
			reason: fmt.Sprintf("the auth service answered %d, which is neither yes (2xx) nor no (401, 403)", answer.status),
		}
	}
}

// unauthorized sends the client to sign in, or tells it what the service wants to know.
func (x *exchange) unauthorized() *refusal {
	if !x.decision.Policy.Auth.SignIn.IsZero() {
		return &refusal{
			status: http.StatusFound,
			reason: "the auth service answered 401; the client is to sign in",
			header: http.Header{"Location": {uriBytes(x.signIn())}},
		}
	}
	refused := &refusal{status: http.StatusUnauthorized, reason: "the auth service answered 401"}
	if want := x.auth.header["Www-Authenticate"]; len(want) > 0 {
		refused.header = http.Header{"Www-Authenticate": want}
	}
	return refused
}

// signIn is the page to sign in at, with a parameter that leads back here, unless the author has written one. A path is
// completed to a URL of the same host: two slashes, as a variable may bring them, would be the beginning of another one.
func (x *exchange) signIn() string {
	auth := &x.decision.Policy.Auth
	here := x.variable("pass_access_scheme") + "://" + x.variable("http_host")
	page, separator := x.expand(auth.SignIn), "?"
	if strings.HasPrefix(page, "/") {
		page = here + page
	}
	if written, err := url.Parse(auth.SignIn.String()); err == nil && written.RawQuery != "" {
		if written.Query().Has(auth.SignInParam) {
			return page
		}
		separator = "&"
	}
	return page + separator + auth.SignInParam + "=" + here + x.variable("escaped_request_uri")
}

// authAnswer gets the answer of the service, or one that it gave a moment ago under the same auth-cache-key.
func (s *Server) authAnswer(x *exchange) (*authAnswer, error) {
	target, err := outsideURL(x.expand(x.decision.Policy.Auth.URL))
	if err != nil {
		return nil, err
	}
	key, cached := x.authKey(target.String())
	if cached {
		if answer, found := s.authAnswers.get(key, time.Now()); found {
			return answer, nil
		}
	}
	answer, err := s.askAuthURL(x, target)
	if err != nil {
		return nil, err
	}
	if keep := x.decision.Policy.Auth.CacheDuration[answer.status]; cached && keep > 0 && answer.mayBeKept() {
		s.authAnswers.put(key, answer, time.Now().Add(keep))
	}
	return answer, nil
}

// outsideURL is a URL of an annotation, with its variables replaced.
func outsideURL(text string) (*url.URL, error) {
	target, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if target.Scheme != "http" && target.Scheme != "https" || target.Hostname() == "" {
		return nil, fmt.Errorf("%q is no http or https URL", text)
	}
	target.User, target.Fragment = nil, ""
	return target, nil
}

// askAuthURL sends the question: the request's own header without what is about its body, and what it is about.
func (s *Server) askAuthURL(x *exchange, target *url.URL) (*authAnswer, error) {
	auth := &x.decision.Policy.Auth
	ctx, cancel := context.WithTimeoutCause(x.request.Context(), authTimeout, errAuthTimeout)
	defer cancel()
	method := auth.Method
	if method == "" {
		method = http.MethodGet
	}
	question, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return nil, err
	}
	question.Header = x.authHeader()
	var conn net.Conn
	question = question.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { conn = got.Conn },
	}))
	response, err := s.outside.RoundTrip(question)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("%s://%s: %w", target.Scheme, target.Host, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := &authAnswer{status: response.StatusCode, header: response.Header}
	if !answer.decides() && conn != nil {
		// A Service's address may be given away, or may lead nowhere in its first moments. Whoever is at the other end of
		// this connection must not be asked for as long as there are requests to keep it from being idle.
		_ = conn.Close()
		return answer, nil
	}
	_, _ = io.CopyN(io.Discard, response.Body, authBodyLimit) // the status is the answer
	return answer, nil
}

// authHeader is the header of the question, as ingress-nginx has it.
func (x *exchange) authHeader() http.Header {
	auth := &x.decision.Policy.Auth
	h := x.copyHeader()
	for name := range h {
		if isConditional(name) {
			delete(h, name) // they are about what the endpoint has; a 304 or 206 of the service would be no answer
		}
	}
	back := x.variable("request_uri")
	if !auth.RequestRedirect.IsZero() {
		back = x.expand(auth.RequestRedirect)
	}
	for name, value := range map[string]string{
		"X-Original-Url":          x.variable("scheme") + "://" + x.variable("http_host") + x.variable("request_uri"),
		"X-Original-Uri":          x.variable("request_uri"),
		"X-Original-Method":       x.request.Method,
		"X-Sent-From":             "nginx-ingress-controller",
		"X-Scheme":                x.variable("pass_access_scheme"),
		"X-Real-Ip":               x.variable("remote_addr"),
		"X-Forwarded-For":         x.variable("remote_addr"),
		"X-Request-Id":            x.record.RequestID,
		"X-Auth-Request-Redirect": back,
	} {
		h[name] = []string{value}
	}
	x.setClientCertificate(h)
	for name, value := range x.decision.Policy.AuthHeaders {
		h.Set(name, x.expand(value))
	}
	return h
}

// isConditional says whether a header makes a request one for a part, or for news only (RFC 9110, 13.1 and 14.2).
func isConditional(name string) bool { return strings.HasPrefix(name, "If-") || name == "Range" }

// copyHeader is the client's header for another request than the one to the endpoint: without what is about the
// connection, the body, and without what a client may not say.
func (x *exchange) copyHeader() http.Header {
	h := x.request.Header.Clone()
	removeHopByHop(h)
	dropForwarded(h)
	dropUntrusted(h)
	delete(h, "Expect")
	return h
}

// setAuthHeaders gives the endpoint what the service said about the client (annotation auth-response-headers). A client's own
// words under these names never get there, even if the service says nothing.
func (x *exchange) setAuthHeaders(h http.Header) {
	x.dropAuthHeaders(h)
	if !x.auth.passes() {
		return
	}
	for _, name := range x.decision.Policy.Auth.ResponseHeaders {
		if values := x.auth.header[name]; len(values) > 0 && !framesMessage(name) {
			h[name] = slices.Clone(values)
		}
	}
}

// dropAuthHeaders removes what only the service may say, from a header or a trailer.
func (x *exchange) dropAuthHeaders(h http.Header) {
	if x.decision.Policy == nil || x.decision.Policy.Auth.URL.IsZero() {
		return
	}
	for _, name := range x.decision.Policy.Auth.ResponseHeaders {
		delete(h, name)
	}
}

// passAuthCookies hands the cookies of the service on to the client: on the statuses on which nginx's add_header acts, and
// with auth-always-set-cookie on all.
func (x *exchange) passAuthCookies(h http.Header, status int) {
	if x.auth == nil || !x.decision.Policy.Auth.AlwaysSetCookie && !slices.Contains(cookieStatuses, status) {
		return
	}
	h["Set-Cookie"] = append(h["Set-Cookie"], x.auth.header["Set-Cookie"]...)
}

var cookieStatuses = []int{200, 201, 204, 206, 301, 302, 303, 304, 307, 308}
