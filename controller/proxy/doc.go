// Package proxy is the data plane: an HTTP reverse proxy that executes the decisions of the routing
// table. Package routing decides; this package doesn't lose, change or invent anything on the way.
//
// # Reading order
//
// Read server.go first: ServeHTTP is the life of a request on one page. Continue with exchange.go
// (the state of one request) and forward.go (the choice of an endpoint, and retries). Then read
// headers.go (the request for the endpoint) and response.go (the response to the client). The other
// files each implement one feature; the steps below name them. The engine that copies the bytes is
// httputil.ReverseProxy. No other package depends on that choice.
//
// # The life of a request
//
//  1. Accept. listen.go accepts the connection. For HTTPS, it performs the TLS handshake with the
//     host's certificate (certificate.go). On HTTP/1 connections, conn.go and framing.go check the
//     bytes that net/http reads: a request that two programs could parse differently is refused.
//     chunks.go does so for chunked bodies.
//  2. Begin. ServeHTTP loads the current view (view.go): the table, and the live state of its
//     endpoints. The request keeps this view until it ends, even if a new table is loaded meanwhile.
//     origin.go finds the client's address, scheme, and port.
//  3. Validate. shape.go refuses malformed and ambiguous requests, before any rule sees them.
//  4. Decide. routing.Table.Decide returns a decision: refuse, redirect, answer a CORS preflight, or
//     forward to a pool of endpoints.
//  5. Apply the steps that need no endpoint. Each step can end the request:
//     the client certificate (clienttls.go); refusals, redirects, and CORS preflights (answer.go);
//     rate limits (limits.go); authentication (auth.go, basicauth.go, externalauth.go); and the size
//     of the body (bodysize.go). The last step starts the copy for a mirror (mirror.go).
//  6. Rewrite. headers.go makes the request for the endpoint. It replaces what the client claims about
//     itself, such as X-Forwarded-For. The path is forwarded byte for byte, and the body is streamed
//     (body.go).
//  7. Forward. forward.go picks an endpoint with package balancer, and sends the request over a pooled
//     connection (transport.go, backendtls.go). If the try fails and a repetition is safe, it tries
//     another endpoint (retry.go). attempt.go and watchdog.go bound each wait.
//  8. Respond. response.go streams the endpoint's response. If there is none, failure.go finds the
//     status, and refuse.go writes the error. errorpage.go gets the page from a custom error backend.
//     Added on the way: CORS (cors.go), custom headers and HSTS (responseheaders.go), and the session
//     cookie (sticky.go). cookies.go and location.go rewrite the endpoint's cookies and redirects.
//     pace.go limits the speed.
//  9. Record. record.go describes the finished request. The access log (accesslog.go) writes the
//     record, and package metrics counts it.
package proxy
