// Package metrics exports the controller's metrics to Prometheus. docs/metrics.md lists them; a
// test generates the list from the registered metrics.
//
// Label values come from objects in the cluster, never from requests. So their number is bounded:
// the series of deleted Ingresses, Services and endpoints are removed.
//
// Read metrics.go first (all metrics, and the methods that update them), then requests.go (request
// metrics) and endpoints.go (metrics of each pod address).
package metrics

//go:generate go test -run TestMetricsListIsCurrent -update .
