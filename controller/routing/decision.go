package routing

import (
	"net/http"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Request is the small view of an HTTP request that Decide looks at. Whoever fills it has already refused
// what is not a well-formed request (RFC 9112).
type Request struct {
	Method string
	// Host is the request's authority as the client sent it: any case, with or without port and trailing dot.
	Host string
	// Path is the escaped path of the request target as the client sent it ("/a%20b"), without the query.
	Path   string
	Header http.Header
	// Client is the address the request came from, by the trust chain, not by any header.
	Client netip.Addr
	TLS    bool
	// Query is the query of the request target without its question mark, as sent.
	Query string
	// Protocol is "HTTP/1.1" or "HTTP/2.0", for $server_protocol.
	Protocol string
	// Port is that of the listener, or what a trusted proxy says: the one the client sees; 0: unknown.
	Port int
	// ID is the request's identifier, for $request_id.
	ID string
	// Draw is a random number in [0,1), handed in so that Decide stays pure.
	Draw float64
}

// Action says what the proxy does with a request.
type Action int

const (
	// Refuse answers with Decision.Status and Decision.Reason; no back-end sees the request.
	Refuse Action = iota
	// Forward sends the request to one of Decision.Pool's endpoints.
	Forward
	// Redirect answers with Decision.Status and the header Location.
	Redirect
	// Preflight answers a CORS preflight with 204; the headers are those of Decision.CORS.
	Preflight
)

// Decision is what happens to one request, and why. The proxy executes it and adds no policy of its own: it goes through the
// fields in the order in which they stand here, and each of them may end the request.
type Decision struct {
	Action Action
	// Status is the HTTP status of the answer: 204 for a preflight, 3xx for a redirect, 400, 403, 404 or 503 for a refusal.
	// Zero when forwarding.
	Status int
	// Reason is one sentence for people: why this route, or why the refusal.
	Reason string
	// Route is the rule that won; nil when none did.
	Route *Route
	// Policy is that of Route; nil without one. The steps below say which parts of it hold for this request.
	Policy *Policy

	// ClientTLS has the client's certificate checked first, whatever the Action.
	ClientTLS bool
	// Location is where a Redirect leads.
	Location string
	// AllowOrigin is the Access-Control-Allow-Origin of the response; empty: none, the request gets no CORS headers.
	AllowOrigin string
	// Limit has Policy.Limits applied to Request.Client.
	Limit bool
	// BasicAuth and ExternalAuth have Policy.Auth asked; with both and Policy.Auth.Any, one of them is enough.
	BasicAuth, ExternalAuth bool

	// Pool is where the request goes; nil when it is refused.
	Pool *Pool
	// Canary says that Pool is that of a canary Ingress; CanaryOf names that Ingress.
	Canary   bool
	CanaryOf types.NamespacedName
	// Unavailable is set when Pool is the error back-end in the place of a pool without endpoints: the status to tell it.
	Unavailable int
	// Path is the escaped path that the endpoint gets; empty: as it came, byte for byte. If there is a question mark in it,
	// what follows is the whole query, the client's own included; otherwise the query stays as it came.
	Path string
	// Host is the Host header that the endpoint gets; empty: as it came.
	Host string
	// LoadBalance is how the endpoint is chosen: that of Policy.Backend or, for a canary, of its own Ingress.
	LoadBalance annotations.LoadBalance
	// HashKey chooses the endpoint when it is not empty (HashBy of the same Backend, expanded).
	HashKey string
	// Sticky says that Policy.Affinity holds, and Endpoint is the one that the client's cookie names; nil: the cookie is
	// missing or stale.
	Sticky   bool
	Endpoint *Endpoint
	// Timeouts bound the forwarded request; zero when it is refused.
	Timeouts Timeouts
}

// Timeouts bound one exchange with an endpoint. Each is more than zero when a request is forwarded.
type Timeouts struct {
	// Connect bounds the dial (annotation proxy-connect-timeout, default 5 s).
	Connect time.Duration
	// Read bounds the wait for the endpoint's next bytes, the response header included (proxy-read-timeout, default 60 s).
	Read time.Duration
	// Send bounds the wait until the endpoint takes the next bytes of the request (proxy-send-timeout, default 60 s).
	Send time.Duration
}

// Candidate is one rule that Explain considered, or one canary of the rule that won, and what became of it.
type Candidate struct {
	Route *Route
	// Canary is nil for the rule itself.
	Canary *Canary
	// Won is true for at most one rule of a trace, and for at most one of its canaries.
	Won bool
	// Why is the reason why it won or lost.
	Why Reason
}
