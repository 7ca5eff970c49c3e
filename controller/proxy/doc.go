// Package proxy is the data plane: it takes a request, asks the routing table what to do with it, and does it. No policy
// is decided here; what is decided here is how to carry a decision out without losing, changing or inventing anything.
//
// The way of a request, with the file that each step is in:
//
//  1. listen.go: the connection is accepted; over TLS the handshake comes first. conn.go and framing.go read along and
//     notice requests that two programs could understand differently; chunks.go does so for chunked bodies. certificate.go
//     shows the host's certificate.
//  2. server.go: ServeHTTP loads one view of the world (view.go) and keeps it. Swapping in a new table never touches a
//     request that has begun. An exchange (exchange.go) is one request and what is known of it; origin.go says who sent it.
//  3. shape.go: what no table may see is refused.
//  4. routing.Table.Decide: refuse, or forward to a pool.
//  5. The steps of server.go carry the decision out as far as no endpoint is needed: the client's certificate (clienttls.go),
//     redirects and preflights (answer.go), limits (limits.go), passwords and external auth (auth.go, basicauth.go,
//     externalauth.go), the size of the body (bodysize.go), the copy for a mirror (mirror.go). Each may end the request.
//  6. headers.go: the request for the endpoint is made. Who the client is, we say; what the client says about it is
//     dropped. The path goes on byte for byte, and the body as it is read (body.go).
//  7. forward.go: an endpoint is picked (choice.go) and tried over a connection of its own kind (transport.go, backendtls.go);
//     another one, when that is safe (retry.go). attempt.go and watchdog.go bound every wait.
//  8. The response is streamed back (response.go), or a refusal is written (refuse.go, failure.go), or the error back-end
//     answers in the place of either (errors.go). Whoever answers, responseheaders.go adds what the route asks for, CORS
//     (cors.go) included, and hsts.go what the host promises. An endpoint's answer gets the session's cookie (sticky.go), and
//     its own cookies and redirects are rewritten (cookies.go, location.go). pace.go holds it to limit-rate.
//  9. record.go: what happened is handed to the access log (accesslog.go) and the metrics.
//
// The engine that moves the bytes is httputil.ReverseProxy. Nothing outside this package knows.
package proxy
