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
	// Client is the address of the client. Only a trusted proxy can set it in a header.
	Client netip.Addr
	TLS    bool
	// Query is the query of the request target without its question mark, as sent.
	Query string
	// Protocol is "HTTP/1.1" or "HTTP/2.0", for $server_protocol.
	Protocol string
	// Port is the port that the client sees: the listener's, or the one that a trusted proxy
	// reports. It is 0 if unknown.
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
	// Redirect responds with Decision.Status and Decision.Location.
	Redirect
	// Preflight responds to a CORS preflight with 204 and the headers of Policy.CORS.
	Preflight
)

// Decision is what happens to one request, and why. The proxy only executes the Decision. It
// applies the fields in this order, and each can end the request.
type Decision struct {
	Action Action
	// Status is the HTTP status of the response: 204 for a preflight, 3xx for a redirect, or 400,
	// 403, 404, or 503 for a refusal. It is 0 if the request is forwarded.
	Status int
	// Reason is a sentence that says why this route was selected or why the request is refused.
	Reason string
	// Route is the selected route, or nil if there is none.
	Route *Route
	// Policy is the policy of Route, or nil without a Route. The fields below say which parts
	// apply.
	Policy *Policy

	// ClientTLS is set if the proxy must check the client's certificate before any Action.
	ClientTLS bool
	// Location is the target of a Redirect.
	Location string
	// AllowOrigin is the Access-Control-Allow-Origin of the response. If it is empty, the response
	// has no CORS headers.
	AllowOrigin string
	// Limit is set if Policy.Limits apply to Request.Client.
	Limit bool
	// BasicAuth and ExternalAuth are set if Policy.Auth applies. With both and Policy.Auth.Any, one
	// of them is enough.
	BasicAuth, ExternalAuth bool

	// Pool receives the request. It is nil if the request is not forwarded.
	Pool *Pool
	// Canary is set if Pool is the pool of a canary. CanaryOf is the canary's Ingress.
	Canary   bool
	CanaryOf types.NamespacedName
	// Unavailable is the status for the error backend, if it replaces a pool without endpoints.
	Unavailable int
	// Path is the escaped path that the endpoint gets. If it is empty, the client's path does not
	// change. If it contains a question mark, the whole query follows, including the client's.
	// Otherwise, the client's query does not change.
	Path string
	// Host is the Host header that the endpoint gets. If it is empty, it is the client's.
	Host string
	// LoadBalance is how the proxy selects an endpoint: that of Policy.Backend or of the canary.
	LoadBalance annotations.LoadBalance
	// HashKey is the expanded value of the Backend's HashBy. Unless empty, it selects the endpoint.
	HashKey string
	// Sticky is set if Policy.Affinity applies. Endpoint is the one in the client's cookie, or nil
	// if the cookie is missing or stale.
	Sticky   bool
	Endpoint *Endpoint
	// Timeouts limit the forwarded request. They are zero if it is not forwarded.
	Timeouts Timeouts
}

// Timeouts limit one exchange with an endpoint. Each is more than zero if a request is forwarded.
type Timeouts struct {
	// Connect limits the dial (annotation proxy-connect-timeout, default 5 s).
	Connect time.Duration
	// Read limits the wait for the next bytes of the response, including its header
	// (proxy-read-timeout, default 60 s).
	Read time.Duration
	// Send limits the wait until the endpoint receives the next bytes of the request
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
	// Why says why the rule or canary won or lost.
	Why Reason
}
