package routing

import (
	"net/http"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Request is the part of an HTTP request that Decide uses. The caller has already refused malformed
// requests (RFC 9112).
type Request struct {
	Method string
	// Host is the authority as the client sent it: in any case, with or without port and trailing
	// dot.
	Host string
	// Path is the escaped path of the request target as the client sent it ("/a%20b"), without the
	// query.
	Path   string
	Header http.Header
	// Client is the address of the client, from the trust chain and not from an arbitrary header.
	Client netip.Addr
	TLS    bool
	// Query is the query of the request target without its question mark, as sent.
	Query string
	// Protocol is "HTTP/1.1" or "HTTP/2.0", for $server_protocol.
	Protocol string
	// Port is the port that the client sees: that of the listener, or what a trusted proxy says; 0:
	// unknown.
	Port int
	// ID is the request's identifier, for $request_id.
	ID string
	// Random is a random value in [0,1). The caller passes it, so that Decide stays pure.
	Random float64
}

// Action says what the proxy does with a request.
type Action int

const (
	// Refuse responds with Decision.Status and Decision.Reason; no backend receives the request.
	Refuse Action = iota
	// Forward sends the request to one of Decision.Pool's endpoints.
	Forward
	// Redirect answers with Decision.Status and the header Location.
	Redirect
	// Preflight responds to a CORS preflight with 204; the headers are those of Decision.CORS.
	Preflight
)

// Decision is what happens to one request, and why. The proxy only executes it. It goes through the
// fields in this order, and each of them can end the request.
type Decision struct {
	Action Action
	// Status is the HTTP status of the answer: 204 for a preflight, 3xx for a redirect, 400, 403,
	// 404 or 503 for a refusal. Zero when forwarding.
	Status int
	// Reason is one sentence for people: why this route, or why the refusal.
	Reason string
	// Route is the rule that won; nil when none did.
	Route *Route
	// Policy is that of Route; nil: there is no route. The fields below say which parts of it
	// apply.
	Policy *Policy

	// ClientTLS is set if the proxy first checks the client's certificate, for any Action.
	ClientTLS bool
	// Location is the target of a Redirect.
	Location string
	// AllowOrigin is the Access-Control-Allow-Origin of the response; empty: none, the request gets
	// no CORS headers.
	AllowOrigin string
	// Limit is set if Policy.Limits apply to Request.Client.
	Limit bool
	// BasicAuth and ExternalAuth are set if Policy.Auth applies. With both and Policy.Auth.Any, one
	// of them is enough.
	BasicAuth, ExternalAuth bool

	// Pool receives the request; nil: the request is refused.
	Pool *Pool
	// Canary is set if Pool is that of a canary; CanaryOf is its Ingress.
	Canary   bool
	CanaryOf types.NamespacedName
	// Unavailable is the status for the error backend, if it replaces a pool without endpoints.
	Unavailable int
	// Path is the escaped path that the endpoint gets; empty: as it came, byte for byte. If there
	// is a question mark in it, what follows is the whole query, the client's own included;
	// otherwise the query stays as it came.
	Path string
	// Host is the Host header that the endpoint gets; empty: as it came.
	Host string
	// LoadBalance is how the proxy selects an endpoint: that of Policy.Backend or of the canary.
	LoadBalance annotations.LoadBalance
	// HashKey selects the endpoint (HashBy of the same Backend, expanded); empty: it does not.
	HashKey string
	// Sticky is set if Policy.Affinity applies. Endpoint is the one in the client's cookie; nil:
	// the cookie is missing or stale.
	Sticky   bool
	Endpoint *Endpoint
	// Timeouts bound the forwarded request; zero when it is refused.
	Timeouts Timeouts
}

// Timeouts bound one exchange with an endpoint. Each is more than zero when a request is forwarded.
type Timeouts struct {
	// Connect bounds the dial (annotation proxy-connect-timeout, default 5 s).
	Connect time.Duration
	// Read bounds the wait for the endpoint's next bytes, the response header included
	// (proxy-read-timeout, default 60 s).
	Read time.Duration
	// Send bounds the wait until the endpoint takes the next bytes of the request
	// (proxy-send-timeout, default 60 s).
	Send time.Duration
}

// Candidate is one rule that Explain considers, or one canary of the rule that won.
type Candidate struct {
	Route *Route
	// Canary is nil for the rule itself.
	Canary *Canary
	// Won is true for at most one rule of a trace, and for at most one of its canaries.
	Won bool
	// Why is the reason why it won or lost.
	Why Reason
}
