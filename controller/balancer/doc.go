// Package balancer selects the endpoint for each request, and keeps the live state of endpoints:
// requests in flight, request counts, latency, and recent failures. Each change replaces the
// routing table, but this state outlives the table. Its key consists of the pool, the address, and
// the pod, so an address that a new pod reuses starts with an empty state.
//
// # Reading order
//
// Read endpoint.go (the state of one address), registry.go (all endpoints of the current table),
// and pool.go (the selection). Each algorithm has its own file. limiter.go limits clients, not
// endpoints; it is in this package because its state also outlives tables.
//
// # How an endpoint is selected
//
// Pool.Pick applies these rules in order:
//
//  1. Exclude the endpoints that this request has already tried (Choice.Tried).
//  2. Use the endpoint of the client's session, if there is one (Choice.Prefer).
//  3. Otherwise use the endpoint that the hash of the request's key selects (Choice.HashKey, hash.go).
//  4. Otherwise use the pool's algorithm (Choice.By): round robin or least connections
//     (rotation.go), or peak EWMA (ewma.go).
//
// Each rule skips an endpoint that failed recently, unless all endpoints failed recently, or the
// session requires that endpoint (Choice.Insist). A recently failed endpoint might work again, but
// a request without an endpoint always fails.
package balancer
