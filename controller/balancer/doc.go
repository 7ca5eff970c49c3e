// Package balancer keeps what is alive about endpoints: how many requests are in flight, how many there were, how fast the
// answers come, and which endpoints failed a moment ago. A routing table is thrown away at every change; this is what must
// not be thrown away with it. State is keyed by pool, address and pod, so an address that the network gives to another pod
// starts clean.
//
// It also chooses the endpoint for a request, in this order:
//
//  1. the one that the client's session is kept on (Choice.Prefer),
//  2. the one that the request's key is hashed to (Choice.HashKey, hash.go),
//  3. the one that the pool's algorithm says (Choice.By): roundrobin.go (ring.go), leastconn.go,
//     ewma.go (latency.go).
//
// Whichever it is, an endpoint that this request has tried is out, and one that failed a moment ago is taken only if there
// is no other: a request that may fail is better than one that must.
//
// Read endpoint.go first, then registry.go, pool.go, and the ways to choose. limiter.go is about
// clients, not endpoints; it is here because it outlives tables too.
package balancer
