// Package controller is the ingress controller. It watches the Kubernetes API, builds a routing
// table, and serves HTTP requests with that table.
//
//	informers --dirty--> one loop: settle, list, routing.Build(Snapshot) -> (*Table, []Problem)
//	                                     |                                |
//	                          proxy.Server.Swap(table)         status.Reporter: status, Events
//	request --> table.Decide(view) -> Decision --> proxy does what the Decision says
//
// Read in this order:
//
//  1. controller.go: Run, and how the parts are connected.
//  2. loop.go: the goroutine that turns changes into tables.
//  3. Package annotations: the options of an Ingress. Package routing: how a table is built, and
//     how it decides. Both are pure: no clock, no network, no log.
//  4. Package watch: the source of the objects.
//  5. Package proxy: how a request is served. Package balancer: the state of the endpoints.
//  6. Package status: Ingress status and Events.
//  7. startup.go, servers.go, health.go, and shutdown.go: startup, probes, and shutdown without
//     losing a request.
//  8. Packages dashboard and metrics, and statuspage.go: the status page, and metrics for
//     Prometheus.
//  9. Package admission and review.go: validation before an Ingress is stored.
package controller
