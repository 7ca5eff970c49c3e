// Package metrics counts what the controller does, for Prometheus. docs/metrics.md lists what there is; it is written by a
// test from the figures themselves.
//
// Labels are bounded by the objects in the cluster, never by what clients send: series of Ingresses, Services and
// endpoints that are gone are dropped.
//
// Read metrics.go for what is kept and who is told, requests.go for the figures of requests, endpoints.go for those of each
// pod address.
package metrics

//go:generate go test -run TestListIsCurrent -update .
