// Package explain asks the controller how it would route a request: which rule wins, which other
// rules it considers, and which pods could serve the request. No pod receives anything.
//
// The query goes through the Kubernetes API to the controller's status page, so it works even if no
// client can reach the ingress. controller/routing makes the explanation with the code that
// routes real requests, and controller/dashboard serves it.
//
// Read [Ask] first.
package explain
