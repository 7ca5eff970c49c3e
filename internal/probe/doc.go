// Package probe sends one HTTP request and records the response.
//
// A [Client] sends a [Request] to the Ingress controller for any host in the URL, without DNS. It returns an [Observation]: status,
// headers, body, duration, the pod that responded, and the controller's reason. [Compare] compares an Observation with an [Expectation]
// and returns each [Mismatch]. Retries are up to the caller.
//
// Read request.go, observation.go, then compare.go.
package probe
