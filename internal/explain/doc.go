// Package explain has the controller explain what it would do with a request: which rule wins, which others were considered,
// and which pods could answer. Nothing is sent to any of them.
//
// The question goes through the Kubernetes API to the controller's status page, so that it works where the ingress itself
// cannot be reached.
//
// Read explain.go, and there [Ask] first. The explanation itself is made by controller/routing, which decides about real requests,
// too, and is served by controller/dashboard: this package only carries it.
package explain
