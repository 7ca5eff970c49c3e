// Package upstream keeps what is alive about endpoints: how many requests are in flight, how many there were, and which
// endpoints failed a moment ago. A routing table is thrown away at every change; this is what must not be thrown away
// with it. State is keyed by pool, address and pod, so an address that the network gives to another pod starts clean.
//
// Read endpoint.go first, then registry.go, then roundrobin.go.
package upstream
