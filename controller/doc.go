// Package controller is the ingress controller: it watches the Kubernetes API, builds a routing table from what it sees,
// and serves HTTP by that table.
//
//	informers --dirty--> one loop: settle, list, routing.Build(Snapshot) -> (*Table, []Problem)
//	                                     |                                |
//	                          proxy.Server.Swap(table)         status.Reporter: status, Events
//	request --> table.Decide(view) -> Decision --> proxy does what the Decision says
//
// To understand it, read in this order:
//
//  1. controller.go: Run, the whole wiring on one page.
//  2. loop.go: the one goroutine that turns changes into tables.
//  3. package annotations: what Ingresses may ask for; package routing: what a table is, how it is built and how it decides.
//     Both are pure: no clock, no network, no log.
//  4. package watch: where the objects come from.
//  5. package proxy: what happens to a request; package upstream: what is remembered about the pods behind it.
//  6. package status: what the cluster is told.
//  7. servers.go, health.go and shutdown.go: starting, being probed, and leaving without losing a request.
//  8. packages dashboard and metrics: what people and Prometheus are shown.
//  9. package admission and review.go: the same questions, asked before an Ingress is stored.
package controller
