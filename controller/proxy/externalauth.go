package proxy

import (
	"context"
	"crypto/sha256"
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
	// authTimeout bounds one call of an external auth service. ingress-nginx waits 60 s, as for an
	// endpoint, which is too long for a service that every request depends on.
	authTimeout = 5 * time.Second
	// authBodyLimit is how much of the response body is read and discarded to reuse the connection,
	// in bytes.
	authBodyLimit = 64 << 10
)

var errAuthTimeout = errors.New("no response within 5 s")

// authAnswer is the response of an external auth service. Requests share it; it must not be
// changed.
type authAnswer struct {
	status int
	header http.Header
}

func (a *authAnswer) allows() bool { return a != nil && a.status >= 200 && a.status < 300 }

// isDecision reports whether the response allows or denies the request; other statuses mean that the
// service failed.
func (a *authAnswer) isDecision() bool {
	return a.allows() || a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
}

// checkExternalAuth calls the external auth service (annotation auth-url). It returns nil if the
// request is allowed. The statuses have the meaning of nginx's auth_request
// (https://nginx.org/en/docs/http/ngx_http_auth_request_module.html): 2xx allows, 401 and 403 deny.
// Other statuses and timeouts are failures, and the request is refused.
func (s *Server) checkExternalAuth(x *exchange) *refusal {
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
	case answer.allows():
		return nil
	case answer.status == http.StatusUnauthorized:
		return x.unauthorized()
	case answer.status == http.StatusForbidden:
		return &refusal{status: http.StatusForbidden, reason: "the auth service returned 403"}
	default:
		return &refusal{
			status: http.StatusInternalServerError,
			reason: fmt.Sprintf("the auth service returned %d; only 2xx allows and 401 and 403 deny a request", answer.status),
		}
	}
}

// unauthorized redirects the client to the sign-in page, or forwards the service's challenge.
func (x *exchange) unauthorized() *refusal {
	if !x.decision.Policy.Auth.SignIn.IsZero() {
		return &refusal{
			status: http.StatusFound,
			reason: "the auth service returned 401; redirect to the sign-in page",
			header: http.Header{"Location": {uriBytes(x.signIn())}},
		}
	}
	refused := &refusal{status: http.StatusUnauthorized, reason: "the auth service returned 401"}
	if want := x.auth.header["Www-Authenticate"]; len(want) > 0 {
		refused.header = http.Header{"Www-Authenticate": want}
	}
	return refused
}

// signIn returns the URL of the sign-in page, with a parameter that contains the request's URL,
// unless the annotation already sets the parameter. A path becomes a URL of the same host.
// Otherwise, a path that starts with two slashes, for example from a variable, would refer to
// another host.
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

// authAnswer returns the service's response, or a cached one with the same auth-cache-key.
func (s *Server) authAnswer(x *exchange) (*authAnswer, error) {
	target, err := externalURL(x.expand(x.decision.Policy.Auth.URL))
	if err != nil {
		return nil, err
	}
	key, cached := x.authKey(target.String())
	if cached {
		if answer, found := s.authAnswers.get(key, time.Now()); found {
			return answer, nil
		}
	}
	answer, err := s.sendAuthRequest(x, target)
	if err != nil {
		return nil, err
	}
	if keep := x.decision.Policy.Auth.CacheDuration[answer.status]; cached && keep > 0 && answer.cacheable() {
		s.authAnswers.put(key, answer, time.Now().Add(keep))
	}
	return answer, nil
}

// externalURL parses a URL from an annotation, with its variables expanded.
func externalURL(text string) (*url.URL, error) {
	target, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if target.Scheme != "http" && target.Scheme != "https" || target.Hostname() == "" {
		return nil, fmt.Errorf("%q is not an http or https URL", text)
	}
	target.User, target.Fragment = nil, ""
	return target, nil
}

// sendAuthRequest sends the auth request: the client's header without the fields of its body, and fields
// that describe the request.
func (s *Server) sendAuthRequest(x *exchange, target *url.URL) (*authAnswer, error) {
	auth := &x.decision.Policy.Auth
	ctx, cancel := context.WithTimeoutCause(x.request.Context(), authTimeout, errAuthTimeout)
	defer cancel()
	method := auth.Method
	if method == "" {
		method = http.MethodGet
	}
	authRequest, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return nil, err
	}
	authRequest.Header = x.authHeader()
	var conn net.Conn
	authRequest = authRequest.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { conn = got.Conn },
	}))
	response, err := s.outside.RoundTrip(authRequest)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("%s://%s: %w", target.Scheme, target.Host, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := &authAnswer{status: response.StatusCode, header: response.Header}
	if !answer.isDecision() && conn != nil {
		// The connection of a failing service is closed. A Service's address can be reassigned, and
		// can be unreachable at first. A busy connection would never become idle, and would be kept
		// forever.
		_ = conn.Close()
		return answer, nil
	}
	_, _ = io.CopyN(io.Discard, response.Body, authBodyLimit) // only the status matters
	return answer, nil
}

// authHeader returns the header of the auth request, as ingress-nginx sends it.
func (x *exchange) authHeader() http.Header {
	auth := &x.decision.Policy.Auth
	h := x.copyHeader()
	for name := range h {
		if isConditional(name) {
			delete(h, name) // conditions refer to the endpoint's resource; a 304 or 206 from the auth service would not be a decision
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

// isConditional reports whether a field makes a request conditional or a range request (RFC 9110,
// 13.1 and 14.2).
func isConditional(name string) bool { return strings.HasPrefix(name, "If-") || name == "Range" }

// copyHeader copies the client's header for a request to another server than the endpoint. It omits
// fields of the connection and of the body, and fields that clients must not set.
func (x *exchange) copyHeader() http.Header {
	h := x.request.Header.Clone()
	removeHopByHop(h)
	dropForwarded(h)
	dropUntrusted(h)
	delete(h, "Expect")
	return h
}

// setAuthHeaders copies fields of the auth response to the endpoint's request (annotation
// auth-response-headers). The client's own fields of these names are always removed.
func (x *exchange) setAuthHeaders(h http.Header) {
	x.dropAuthHeaders(h)
	if !x.auth.allows() {
		return
	}
	for _, name := range x.decision.Policy.Auth.ResponseHeaders {
		if values := x.auth.header[name]; len(values) > 0 && !isFramingField(name) {
			h[name] = slices.Clone(values)
		}
	}
}

// dropAuthHeaders removes the fields that only the auth service can set, from a header or a
// trailer.
func (x *exchange) dropAuthHeaders(h http.Header) {
	if x.decision.Policy == nil || x.decision.Policy.Auth.URL.IsZero() {
		return
	}
	for _, name := range x.decision.Policy.Auth.ResponseHeaders {
		delete(h, name)
	}
}

// passAuthCookies copies the auth service's cookies into the response, for the statuses of nginx's
// add_header, or for all with auth-always-set-cookie.
func (x *exchange) passAuthCookies(h http.Header, status int) {
	if x.auth == nil || !x.decision.Policy.Auth.AlwaysSetCookie && !slices.Contains(cookieStatuses, status) {
		return
	}
	h["Set-Cookie"] = append(h["Set-Cookie"], x.auth.header["Set-Cookie"]...)
}

var cookieStatuses = []int{200, 201, 204, 206, 301, 302, 303, 304, 307, 308}

const (
	// authCacheSize is the maximum number of cached auth responses. maxCachedHeader is the maximum
	// header size of one response, in bytes. The cached headers take at most 16 MiB.
	authCacheSize, maxCachedHeader = 4096, 4 << 10
)

// authKey returns the cache key: a digest of auth-cache-key and of the auth request. As in nginx,
// only GET and HEAD requests share responses. A byte that can't occur in the parts separates them.
func (x *exchange) authKey(authRequest string) (key [sha256.Size]byte, cached bool) {
	auth := &x.decision.Policy.Auth
	if auth.CacheKey.IsZero() || x.request.Method != http.MethodGet && x.request.Method != http.MethodHead {
		return key, false
	}
	route := x.decision.Route
	parts := []string{route.Ingress.String(), route.Field, x.variable("host"), auth.Method, authRequest, x.expand(auth.CacheKey)}
	return sha256.Sum256([]byte(strings.Join(parts, "\x00"))), true
}

// cacheable reports whether the response can be cached for several requests (RFC 9111, 3). A
// response can't be cached if it sets a cookie, or if it varies by a header that auth-cache-key
// might not include.
func (a *authAnswer) cacheable() bool {
	if len(a.header["Set-Cookie"]) > 0 {
		return false
	}
	for _, line := range a.header["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			switch name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "="); {
			case name == "no-store", name == "no-cache", name == "private", name == "max-age" && value == "0":
				return false
			}
		}
	}
	for _, line := range a.header["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if !strings.EqualFold(strings.TrimSpace(name), "Accept-Encoding") {
				return false
			}
		}
	}
	size := 0
	for name, values := range a.header {
		size += len(name)
		for _, value := range values {
			size += len(value)
		}
	}
	return size <= maxCachedHeader
}
