package annotations

import (
	"net/http"
	"net/netip"
	"regexp"
	"time"
)

// Options are the values of an Ingress's annotations. Without an annotation, an option has its
// value in the Settings. References to other objects (Secrets, ConfigMaps, Services) are as
// written. Package routing resolves them.
//
// Options are shared. Do not change them after Parse returns them.
type Options struct {
	// Blocked says why the Ingress must not be served: a security annotation cannot be applied. It
	// is empty if the Ingress can be served.
	Blocked string

	Canary    Canary
	Affinity  Affinity
	Redirects Redirects
	Rewrite   Rewrite
	Auth      Auth
	ClientTLS ClientTLS
	Access    Access
	Limits    Limits
	Proxy     Proxy
	Backend   Backend
	Errors    Errors
	CORS      CORS
	Mirror    Mirror

	// Unlogged omits the requests of the Ingress from the access log ("enable-access-log" false).
	Unlogged bool
}

// Canary selects the requests that a canary Ingress gets.
type Canary struct {
	// Enabled is set if the Ingress is a canary, which has no routes of its own ("canary").
	Enabled bool
	// Header is the name of the header that selects the canary, if any ("canary-by-header").
	Header string
	// Value is the value of Header that selects the canary. If it is empty, "always" selects the
	// canary, and "never" excludes it ("canary-by-header-value").
	Value string
	// Pattern matches the values of Header that select the canary. It has no effect if Value is set
	// ("canary-by-header-pattern").
	Pattern *regexp.Regexp
	// Cookie is the name of the cookie, if any, that selects the canary with "always" and excludes
	// it with "never" ("canary-by-cookie").
	Cookie string
	// Weight is the canary's share of WeightTotal: 0 to WeightTotal ("canary-weight").
	Weight int
	// WeightTotal is at least 100 ("canary-weight-total").
	WeightTotal int
}

// Affinity keeps a client on the pod that served it first.
type Affinity struct {
	// Enabled is "affinity" with the value cookie, or the ConfigMap's enable-sticky-sessions.
	Enabled bool
	// Persistent is "affinity-mode". docs/controller.md explains the two modes.
	Persistent bool
	// LeaveCanary is "affinity-canary-behavior" with the value legacy: the cookie neither keeps a
	// client on a canary nor off it.
	LeaveCanary bool
	// ChangeOnFailure moves the client to another pod permanently if its own pod fails
	// ("session-cookie-change-on-failure").
	ChangeOnFailure bool
	Cookie          SessionCookie
}

// SessionCookie is the cookie of an Affinity. It is always HttpOnly.
type SessionCookie struct {
	// Name is a token (RFC 6265, 4.1.1); default "INGRESSCOOKIE".
	Name string
	// Path is the cookie's Path. If it is empty, it is the path of the matching rule.
	Path string
	// Domain is the cookie's Domain. If it is empty, browsers send it only to the host.
	Domain string
	// Expires is the lifetime of the cookie, sent as a date. 0 means not sent.
	Expires time.Duration
	// MaxAge is the lifetime of the cookie, sent in seconds. 0 means not sent.
	MaxAge time.Duration
	// SameSite is the cookie's SameSite. 0 means not sent.
	SameSite http.SameSite
	// ConditionalNone omits SameSite=None for browsers that misread it.
	ConditionalNone bool
	// Secure is the cookie's Secure. If it is nil, cookies sent over TLS are Secure.
	Secure *bool
	// Partitioned separates the cookie by top-level site (CHIPS).
	Partitioned bool
}

// Redirects are responses with a Location.
type Redirects struct {
	// SSL redirects HTTP to HTTPS if the host has a certificate ("ssl-redirect", default true).
	// ForceSSL does so for every host ("force-ssl-redirect").
	SSL, ForceSSL bool
	// PreserveTrailingSlash keeps the last slash of the path in these redirects.
	PreserveTrailingSlash bool
	// Permanent and Temporal are the redirect targets for every request of the Ingress: a URL, a
	// path on the same host, or zero for no redirect. Temporal takes precedence.
	Permanent, Temporal Template
	// PermanentCode (default 301) and TemporalCode (default 302) are 300 to 308.
	PermanentCode, TemporalCode int
	// AppRoot is the path, if any, that "/" redirects to with 302.
	AppRoot string
	// FromToWWW redirects www.shop.test to shop.test, or the reverse. The host that redirects is
	// the one without a rule.
	FromToWWW bool
	// UsePort adds the port of the listener to the Location of FromToWWW ("use-port-in-redirects").
	UsePort bool
	// Relative keeps a path in Location as written. Without it, scheme and host are added
	// ("relative-redirects").
	Relative bool
	// Code is the status of redirects to HTTPS, to www, and from www: 301, 302, 307, or 308
	// (ConfigMap http-redirect-code, default 308).
	Code int
}

// Rewrite changes requests before an endpoint gets them, and some headers of responses.
type Rewrite struct {
	// Target replaces the whole path. Its variables $1 to $9 are the groups of the rule's regular
	// expression. If it is zero, the path does not change ("rewrite-target").
	Target Template
	// Regex makes the ImplementationSpecific and Prefix paths of the Ingress regular expressions
	// ("use-regex").
	Regex bool
	// VHost replaces the Host header, unless it is zero ("upstream-vhost").
	VHost Template
	// ForwardedPrefix is the X-Forwarded-Prefix header, if any ("x-forwarded-prefix").
	ForwardedPrefix Template
	// CustomHeaders is the ConfigMap with response headers, if any, as written: "name" or
	// "namespace/name".
	CustomHeaders string
	// Aliases are more names, in lower case, of the first host in the rules ("server-alias").
	Aliases []string
	// LocationFrom is the prefix of Location and Refresh headers that LocationTo replaces
	// ("proxy-redirect-from", "proxy-redirect-to"). If it is zero, nothing is replaced. "default"
	// means the endpoint's own address.
	LocationFrom, LocationTo Template
	// CookieDomain and CookiePath replace the Domain and Path of cookies ("proxy-cookie-domain",
	// "proxy-cookie-path").
	CookieDomain, CookiePath Replacement
}

// Replacement replaces From with To. If it is zero, nothing is replaced.
type Replacement struct{ From, To string }

// Auth authenticates clients.
type Auth struct {
	// Basic requires a user name and password ("auth-type" basic).
	Basic bool
	// Secret is the Secret with the users, as written: "name" or "namespace/name".
	Secret string
	// SecretMap is set if each key of the Secret is a user ("auth-secret-type" auth-map).
	// Otherwise, its key auth is a file (auth-file).
	SecretMap bool
	// Realm is the realm in the password prompt ("auth-realm"), or empty for the proxy's default.
	// It has no control characters. The proxy escapes its quotes.
	Realm string

	// URL is the external service, if any, that allows or rejects requests ("auth-url").
	URL Template
	// Method is the method of the request to the service. Empty means GET.
	Method string
	// SignIn is the redirect target if the service returns 401: a URL, or a path on the same host.
	// If it is zero, the client gets the 401.
	SignIn Template
	// SignInParam is the query parameter of SignIn with the original URL; default "rd".
	SignInParam string
	// ResponseHeaders are the headers of the service's response that the endpoint receives, in
	// canonical form.
	ResponseHeaders []string
	// RequestRedirect is the X-Auth-Request-Redirect header for the service. If it is zero, the
	// header has the path of the request.
	RequestRedirect Template
	// ProxySetHeaders is the ConfigMap with headers for the service, if any, as written.
	ProxySetHeaders string
	// CacheKey is the cache key for responses ("auth-cache-key"). Zero means no cache.
	CacheKey Template
	// CacheDuration is how long responses are cached, by status. The default is 5 min for 200, 202,
	// and 401.
	CacheDuration map[int]time.Duration
	// AlwaysSetCookie passes on the service's cookies for every status of the endpoint. Otherwise,
	// it passes them on for 200, 201, 204, 206, 301, 302, 303, 304, 307, and 308 only.
	AlwaysSetCookie bool

	// Any allows a request that satisfies one of Access, Basic, and URL. Otherwise, a request must
	// satisfy all of them ("satisfy").
	Any bool
}

// ClientTLS verifies client certificates (mTLS).
type ClientTLS struct {
	// Secret has the CA, as written ("auth-tls-secret"). If empty, clients are not verified.
	Secret string
	Verify ClientVerify
	// Depth is the maximum number of certificates between the client's and the CA's, as OpenSSL
	// counts; default 1.
	Depth int
	// MatchCN must match the text "CN=" followed by the subject's common name
	// ("auth-tls-match-cn"). It can match a part of the text. If it is nil, every name is allowed.
	MatchCN *regexp.Regexp
	// ErrorPage is the redirect target for clients without a valid certificate. If it is empty,
	// they get 400.
	ErrorPage string
	// PassCertificate sends the certificate to the endpoint in the header ssl-client-cert.
	PassCertificate bool
}

// ClientVerify says how client certificates are verified.
type ClientVerify int

const (
	// VerifyOn requires a certificate from the CA: "on".
	VerifyOn ClientVerify = iota
	// VerifyOptional accepts no certificate, or one from the CA: "optional".
	VerifyOptional
	// VerifyOptionalNoCA accepts no certificate, or any: "optional_no_ca". The endpoint gets the
	// verification error.
	VerifyOptionalNoCA
	// VerifyOff requests no certificate: "off".
	VerifyOff
)

// Access filters client addresses. Deny takes precedence.
type Access struct {
	// Allow is "allowlist-source-range". If it is nil, all addresses are allowed.
	Allow []netip.Prefix
	Deny  []netip.Prefix
}

// Limits apply to one client address on all routes of an Ingress together. 0 means no limit.
type Limits struct {
	// RPS and RPM are requests per second and per minute. Connections are concurrent requests.
	RPS, RPM, Connections int
	// Burst is the burst size as a multiple of RPS or RPM; default 5.
	Burst int
	// Exempt are addresses without limits ("limit-allowlist").
	Exempt []netip.Prefix
	// Rate limits a response, in bytes per second, after its first RateAfter bytes ("limit-rate",
	// in KB).
	Rate, RateAfter int64
}

// Proxy controls how requests are forwarded.
type Proxy struct {
	// ConnectTimeout, ReadTimeout, and SendTimeout are between MinTimeout and MaxTimeout.
	ConnectTimeout, ReadTimeout, SendTimeout time.Duration
	// BodySize is the maximum body size in bytes ("proxy-body-size", default 1m). 0 means no limit.
	BodySize int64
	// NextUpstream has the conditions for trying another endpoint.
	NextUpstream NextUpstream
	// Tries limits the endpoints to try ("proxy-next-upstream-tries", default 3). 0 means all.
	Tries int
	// NextUpstreamTimeout is the time limit for trying other endpoints. 0 means no limit.
	NextUpstreamTimeout time.Duration
	// Buffering and RequestBuffering have no effect: bodies are always streamed
	// (docs/decisions/0006). They exist so that an invalid value gets a Diagnostic.
	Buffering, RequestBuffering bool
}

// NextUpstream is a set of conditions under which another endpoint is tried
// ("proxy-next-upstream").
type NextUpstream struct {
	// Error is a connection that failed or broke, Timeout one that took too long, and InvalidHeader
	// a response that is not HTTP.
	Error, Timeout, InvalidHeader bool
	// Statuses are those of 403, 404, 429, 500, 502, 503, and 504 that count as failures.
	Statuses []int
	// NonIdempotent also retries POST, LOCK, and PATCH.
	NonIdempotent bool
}

// Protocol is the protocol of the endpoints ("backend-protocol").
type Protocol int

const (
	// HTTP is HTTP/1.1 without TLS, the default.
	HTTP Protocol = iota
	// HTTPS is HTTP/1.1 over TLS.
	HTTPS
	// GRPC is HTTP/2 without TLS, with prior knowledge (RFC 9113, 3.3).
	GRPC
	// GRPCS is HTTP/2 over TLS.
	GRPCS
)

// TLS reports whether p uses TLS.
func (p Protocol) TLS() bool { return p == HTTPS || p == GRPCS }

// HTTP2 reports whether p is HTTP/2.
func (p Protocol) HTTP2() bool { return p == GRPC || p == GRPCS }

// Backend controls how endpoints are selected, and their protocol.
type Backend struct {
	Protocol Protocol
	// TLS applies if Protocol is HTTPS or GRPCS.
	TLS BackendTLS
	// ServiceUpstream sends requests to the Service's cluster IP, not to pods ("service-upstream").
	ServiceUpstream bool
	// LoadBalance is the algorithm that selects endpoints ("load-balance").
	LoadBalance LoadBalance
	// HashBy is the text, if any, whose hash selects the endpoint ("upstream-hash-by"). It takes
	// precedence over LoadBalance.
	HashBy Template
}

// BackendTLS is the TLS configuration for endpoints.
type BackendTLS struct {
	// Verify checks the endpoint's certificate against the CA of Secret. The default is false, as
	// in ingress-nginx.
	Verify bool
	// Depth is the maximum number of certificates between the endpoint's and the CA's, as OpenSSL
	// counts; default 1.
	Depth int
	// Secret is the Secret, if any, with the CA (ca.crt) and the client certificate (tls.crt,
	// tls.key), as written.
	Secret string
	// Name is the name to verify and to send. The default is "SERVICE.NAMESPACE.svc".
	Name string
	// ServerName sends Name in the handshake (SNI): default false.
	ServerName bool
}

// LoadBalance is a way to select an endpoint.
type LoadBalance int

const (
	// RoundRobin selects endpoints in turn.
	RoundRobin LoadBalance = iota
	// EWMA selects the endpoint with the lower recent latency out of two random ones, "ewma".
	EWMA
	// LeastConn selects the endpoint with the fewest requests in flight, "least_conn".
	LeastConn
)

// Errors replace failed responses with pages.
type Errors struct {
	// Codes are endpoint statuses, 400 to 599, that the error backend replaces
	// ("custom-http-errors").
	Codes []int
	// Service is the error backend, a Service in the namespace of the Ingress ("default-backend").
	// If it is empty, the controller's default backend is used. It also responds if the Service of
	// a rule has no endpoint.
	Service string
}

// CORS is cross-origin resource sharing, https://fetch.spec.whatwg.org/#http-cors-protocol.
type CORS struct {
	Enabled bool
	// Origins are as written, in lower case: "*", "https://shop.test", "https://*.shop.test:8443";
	// default "*". If it is empty, all written origins are invalid, and no origin is allowed.
	Origins []string
	// Methods, Headers, and Expose are comma-separated lists as sent. Expose can be empty.
	Methods, Headers, Expose string
	// Credentials allows cookies and passwords; default true.
	Credentials bool
	// MaxAge is how long browsers cache the response to a preflight. The default is 20 days, and -1
	// s means not at all.
	MaxAge time.Duration
}

// Mirror sends a copy of every request to another URL and discards the response.
type Mirror struct {
	// Target is the URL for the copy, if any ("mirror-target").
	Target Template
	// RequestBody also copies the body. The default is true.
	RequestBody bool
	// Host is the Host header of the copy ("mirror-host"). The default is the host of Target.
	Host string
}
