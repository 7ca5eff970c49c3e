package annotations

import (
	"net/http"
	"net/netip"
	"regexp"
	"time"
)

// Options is what an Ingress's annotations ask for, as far as the controller honors it: every option has its value, that
// of the annotation or, without one, that of the Settings. References to other objects (Secrets, ConfigMaps, Services)
// are as they are written; resolving them is the business of the package routing.
//
// Options are shared and must not be changed once Parse has returned them.
type Options struct {
	// Blocked, when not empty, says why the Ingress must not be served: it asks for a protection that it would not get.
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

	// Unlogged keeps the requests of the Ingress out of the access log ("enable-access-log" with the value false).
	Unlogged bool
}

// Canary is an Ingress that takes a share of another one's requests.
type Canary struct {
	// Enabled says that the Ingress is a canary, and makes no route of its own ("canary").
	Enabled bool
	// Header is the name of the header that chooses; empty: none ("canary-by-header").
	Header string
	// Value is the value of Header that means the canary; empty: "always" does, and "never" means main
	// ("canary-by-header-value").
	Value string
	// Pattern decides in place of Value; nil: none ("canary-by-header-pattern"). Value comes first if there are both.
	Pattern *regexp.Regexp
	// Cookie is the name of the cookie whose value "always" or "never" chooses; empty: none ("canary-by-cookie").
	Cookie string
	// Weight is the canary's share of WeightTotal: 0 to WeightTotal ("canary-weight").
	Weight int
	// WeightTotal is at least 100 ("canary-weight-total").
	WeightTotal int
}

// Affinity keeps a client with the pod that it met first.
type Affinity struct {
	// Enabled is annotation "affinity" with the value cookie, or the ConfigMap's enable-sticky-sessions.
	Enabled bool
	// Persistent is annotation "affinity-mode": see docs/controller.md for the difference between the two modes.
	Persistent bool
	// LeaveCanary is "affinity-canary-behavior" with the value legacy: the cookie does not hold a client on a canary, or keep
	// it off one.
	LeaveCanary bool
	// ChangeOnFailure gives the client another pod for good when its own one fails ("session-cookie-change-on-failure").
	ChangeOnFailure bool
	Cookie          SessionCookie
}

// SessionCookie is the cookie of an Affinity. It is always HttpOnly.
type SessionCookie struct {
	// Name is a token (RFC 6265, 4.1.1); "INGRESSCOOKIE" unless said otherwise.
	Name string
	// Path is empty for the path of the rule that matched.
	Path string
	// Domain is empty for the host alone.
	Domain string
	// Expires is the age at which the cookie ends, sent as a date; 0: it is not sent.
	Expires time.Duration
	// MaxAge is the age at which the cookie ends, sent in seconds; 0: it is not sent.
	MaxAge time.Duration
	// SameSite is 0 when it is not sent.
	SameSite http.SameSite
	// ConditionalNone leaves SameSite=None out for browsers that misread it.
	ConditionalNone bool
	// Secure is what the annotation says; nil: Secure over TLS.
	Secure *bool
	// Partitioned keeps the cookie apart by top-level site (CHIPS).
	Partitioned bool
}

// Redirects are answers that send the client elsewhere.
type Redirects struct {
	// SSL sends HTTP to HTTPS where the host has a certificate ("ssl-redirect", default true), ForceSSL everywhere
	// ("force-ssl-redirect").
	SSL, ForceSSL bool
	// PreserveTrailingSlash keeps the last slash of the path in these redirects.
	PreserveTrailingSlash bool
	// Permanent and Temporal are where every request of the Ingress is sent, a URL, or a path on the same host; zero: nowhere.
	// Temporal comes before Permanent.
	Permanent, Temporal Template
	// PermanentCode (default 301) and TemporalCode (default 302) are 300 to 308.
	PermanentCode, TemporalCode int
	// AppRoot is the path that "/" is sent to, with 302; empty: none.
	AppRoot string
	// FromToWWW sends www.shop.test to shop.test, or the reverse, whichever of the two has no rule.
	FromToWWW bool
	// UsePort puts the port of the listener into the Location of FromToWWW ("use-port-in-redirects").
	UsePort bool
	// Relative leaves a path in Location as it is; without it, scheme and host come before ("relative-redirects").
	Relative bool
	// Code is the status of redirects to HTTPS, to www and from it: 301, 302, 307 or 308 (ConfigMap http-redirect-code,
	// default 308).
	Code int
}

// Rewrite changes what the endpoint, and in a few things what the client, gets to see.
type Rewrite struct {
	// Target replaces the whole path; its variables $1 to $9 are the groups of the rule's regular expression. Zero: no
	// rewrite ("rewrite-target").
	Target Template
	// Regex makes the Ingress's ImplementationSpecific and Prefix paths regular expressions ("use-regex").
	Regex bool
	// VHost replaces the Host header; zero: none ("upstream-vhost").
	VHost Template
	// ForwardedPrefix is the X-Forwarded-Prefix header; zero: none ("x-forwarded-prefix").
	ForwardedPrefix Template
	// CustomHeaders names a ConfigMap of response headers, as written: "name" or "namespace/name"; empty: none.
	CustomHeaders string
	// Aliases are more names, lower case, of the first host in the Ingress's rules ("server-alias").
	Aliases []string
	// LocationFrom and LocationTo replace the beginning of Location and Refresh headers; LocationFrom zero: none
	// ("proxy-redirect-from", "proxy-redirect-to"). LocationFrom "default" stands for the endpoint's own address.
	LocationFrom, LocationTo Template
	// CookieDomain and CookiePath replace the Domain and Path of cookies ("proxy-cookie-domain", "proxy-cookie-path").
	CookieDomain, CookiePath Replacement
}

// Replacement puts To in the place of From; zero: nothing is replaced.
type Replacement struct{ From, To string }

// Auth asks who the client is.
type Auth struct {
	// Basic asks for a user name and password ("auth-type" basic).
	Basic bool
	// Secret is the Secret that has them, as written: "name" or "namespace/name".
	Secret string
	// SecretMap says that each key of the Secret is a user ("auth-secret-type" auth-map), not its key auth a file (auth-file).
	SecretMap bool
	// Realm is what the browser shows ("auth-realm"); empty: the proxy's default. It has no control characters; whoever sends it
	// escapes its quotes.
	Realm string

	// URL is the external service that says whether a request may pass; zero: none ("auth-url").
	URL Template
	// Method is that of the question; empty: GET.
	Method string
	// SignIn is where a client goes that the service answers 401, a URL, or a path on the same host; zero: the 401 goes to the client.
	SignIn Template
	// SignInParam is the query parameter of SignIn that leads back; default "rd".
	SignInParam string
	// ResponseHeaders are the headers of the service's answer that the endpoint gets, in canonical form.
	ResponseHeaders []string
	// RequestRedirect is the X-Auth-Request-Redirect header of the question; zero: the request's own path.
	RequestRedirect Template
	// ProxySetHeaders names a ConfigMap of headers for the question, as written; empty: none.
	ProxySetHeaders string
	// CacheKey is the key under which answers are kept; zero: they are not ("auth-cache-key").
	CacheKey Template
	// CacheDuration is how long they are kept, by status; default 5 min for 200, 202 and 401.
	CacheDuration map[int]time.Duration
	// AlwaysSetCookie passes the service's cookies on whatever the endpoint answers; without it, only on 200, 201, 204, 206, 301,
	// 302, 303, 304, 307 and 308.
	AlwaysSetCookie bool

	// Any lets a request pass that satisfies one of Access, Basic and URL; without it, it has to satisfy all ("satisfy").
	Any bool
}

// ClientTLS asks the client for a certificate (mTLS).
type ClientTLS struct {
	// Secret has the CA, as written; empty: clients are not asked ("auth-tls-secret").
	Secret string
	Verify ClientVerify
	// Depth is how many certificates there may be between the client's and the CA's, as OpenSSL counts: default 1.
	Depth int
	// MatchCN has to match the text "CN=" followed by the subject's common name; nil: any will do ("auth-tls-match-cn"). It is
	// as anchored as it is written.
	MatchCN *regexp.Regexp
	// ErrorPage is where a client without a valid certificate is sent; empty: it gets 400.
	ErrorPage string
	// PassCertificate sends the certificate to the endpoint in the header ssl-client-cert.
	PassCertificate bool
}

// ClientVerify says what becomes of a client by its certificate.
type ClientVerify int

const (
	// VerifyOn wants a certificate of the CA: "on".
	VerifyOn ClientVerify = iota
	// VerifyOptional takes none, or one of the CA: "optional".
	VerifyOptional
	// VerifyOptionalNoCA takes none, or any: "optional_no_ca"; the endpoint learns what is wrong with it.
	VerifyOptionalNoCA
	// VerifyOff asks for none: "off".
	VerifyOff
)

// Access says which addresses may enter. Deny comes before Allow.
type Access struct {
	// Allow is nil when everybody may ("allowlist-source-range").
	Allow []netip.Prefix
	Deny  []netip.Prefix
}

// Limits bound what one client address may do on the routes of one Ingress, counted together; 0: no limit.
type Limits struct {
	// RPS and RPM are requests per second and per minute, Connections requests at the same time.
	RPS, RPM, Connections int
	// Burst is how many times RPS or RPM a burst may have at once; default 5.
	Burst int
	// Exempt are the addresses without limits ("limit-allowlist").
	Exempt []netip.Prefix
	// Rate bounds a response, in bytes a second, after its first RateAfter bytes ("limit-rate", in KB).
	Rate, RateAfter int64
}

// Proxy says how a request is forwarded.
type Proxy struct {
	// ConnectTimeout, ReadTimeout and SendTimeout are between MinTimeout and MaxTimeout.
	ConnectTimeout, ReadTimeout, SendTimeout time.Duration
	// BodySize is the largest request body in bytes; 0: no limit ("proxy-body-size", default 1m).
	BodySize int64
	// NextUpstream says when another endpoint is tried.
	NextUpstream NextUpstream
	// Tries is how many endpoints a request may meet; 0: all ("proxy-next-upstream-tries", default 3).
	Tries int
	// NextUpstreamTimeout bounds the time in which another endpoint may be tried; 0: no bound.
	NextUpstreamTimeout time.Duration
	// Buffering and RequestBuffering are what nginx is told about reading a body ahead of a slow reader. Nobody reads them: here
	// both are always streamed (docs/decisions/0006). They are kept so that a value that means nothing is a Diagnostic.
	Buffering, RequestBuffering bool
}

// NextUpstream is a set of conditions under which another endpoint is tried ("proxy-next-upstream").
type NextUpstream struct {
	// Error is a connection that failed or broke, Timeout one that took too long, InvalidHeader an answer that is not HTTP.
	Error, Timeout, InvalidHeader bool
	// Statuses are answers that count as failures: 403, 404, 429, 500, 502, 503 and 504 can be in it.
	Statuses []int
	// NonIdempotent allows even POST, LOCK and PATCH to be sent twice.
	NonIdempotent bool
}

// Protocol is what the endpoints speak ("backend-protocol").
type Protocol int

const (
	// HTTP is HTTP/1.1 in the clear, the default.
	HTTP Protocol = iota
	// HTTPS is HTTP/1.1 over TLS.
	HTTPS
	// GRPC is HTTP/2 in the clear with prior knowledge (RFC 9113, 3.3).
	GRPC
	// GRPCS is HTTP/2 over TLS.
	GRPCS
)

// TLS says whether the protocol is spoken over TLS.
func (p Protocol) TLS() bool { return p == HTTPS || p == GRPCS }

// HTTP2 says whether it is HTTP/2.
func (p Protocol) HTTP2() bool { return p == GRPC || p == GRPCS }

// Backend says how endpoints are chosen and spoken to.
type Backend struct {
	Protocol Protocol
	// TLS is for HTTPS and GRPCS.
	TLS BackendTLS
	// ServiceUpstream sends requests to the Service's cluster address, not to pods ("service-upstream").
	ServiceUpstream bool
	// LoadBalance is "load-balance".
	LoadBalance LoadBalance
	// HashBy chooses the endpoint by a hash of its text; zero: none ("upstream-hash-by"). It comes before LoadBalance.
	HashBy Template
}

// BackendTLS is how TLS is spoken to endpoints.
type BackendTLS struct {
	// Verify checks the endpoint's certificate against the CA of Secret; default false, as in ingress-nginx.
	Verify bool
	// Depth is how many certificates there may be between the endpoint's and the CA's, as OpenSSL counts: default 1.
	Depth int
	// Secret has the CA (ca.crt) and a client certificate (tls.crt, tls.key), as written; empty: neither.
	Secret string
	// Name is the name to verify and to send; empty: the Service's, "name.namespace.svc".
	Name string
	// ServerName sends Name in the handshake (SNI): default false.
	ServerName bool
}

// LoadBalance is a way to choose an endpoint.
type LoadBalance int

const (
	// RoundRobin gives every endpoint its turn.
	RoundRobin LoadBalance = iota
	// EWMA prefers the endpoint with the lowest recent latency of two drawn at random, "ewma".
	EWMA
	// LeastConn prefers the endpoint with the fewest requests in flight, "least_conn".
	LeastConn
)

// Errors are pages for answers that failed.
type Errors struct {
	// Codes are the statuses of endpoints, 400 to 599, in whose place the error back-end answers ("custom-http-errors").
	Codes []int
	// Service is the error back-end, a Service of the Ingress's namespace; empty: the controller's default back-end
	// ("default-backend"). It also serves when the rule's own Service has no endpoint.
	Service string
}

// CORS is cross-origin resource sharing, https://fetch.spec.whatwg.org/#http-cors-protocol.
type CORS struct {
	Enabled bool
	// Origins are as written, in lower case: "*", "https://shop.test", "https://*.shop.test:8443"; default "*". Empty: none of
	// those that were written could be read, and no origin gets anything.
	Origins []string
	// Methods, Headers and Expose are comma-separated lists as they are sent; Expose may be empty.
	Methods, Headers, Expose string
	// Credentials is default true.
	Credentials bool
	// MaxAge is how long a preflight's answer may be kept; default 20 days, -1 s: not at all.
	MaxAge time.Duration
}

// Mirror sends a copy of every request elsewhere and forgets the answer.
type Mirror struct {
	// Target is the URL that gets the copy; zero: none ("mirror-target").
	Target Template
	// RequestBody copies the body, too; default true.
	RequestBody bool
	// Host is the Host header of the copy; empty: that of Target ("mirror-host").
	Host string
}
