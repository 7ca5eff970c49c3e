// Package probe asks one HTTP question and writes down the whole answer.
//
// A [Client] sends a [Request] to an ingress whatever host the URL names, so that no DNS and no hosts file is needed,
// and returns an [Observation]: status, headers, body, how long it took, which pod says that it answered, and what the
// controller says about its decision. [Compare] holds an Observation against an [Expectation] and returns every
// [Mismatch]. Asking has side effects and comparing has none; retrying is up to the caller, who knows what to wait for.
//
// Read request.go, observation.go, then compare.go.
package probe
