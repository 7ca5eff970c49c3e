package routing

import (
	"net/http"
	"net/netip"
	"time"
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
)

// Decision is what happens to one request, and why. The proxy executes it and adds no policy of its own.
type Decision struct {
	Action Action
	// Status is the HTTP status of a refusal: 400, 404 or 503. Zero when forwarding.
	Status int
	// Reason is one sentence for people: why this route, or why the refusal.
	Reason string
	// Route is the rule that won; nil when none did.
	Route *Route
	// Pool is where the request goes; nil when it is refused.
	Pool *Pool
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

// Candidate is one rule that Explain considered, and what became of it.
type Candidate struct {
	Route *Route
	// Won is true for at most one candidate of a trace.
	Won bool
	// Why is one sentence: why it won or lost.
	Why string
}
