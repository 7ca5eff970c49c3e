package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ingresslab/ingresslab/controller/balancer"
)

// endpoints collects the live state of the endpoints at each scrape, so the series of a pod
// disappear with the pod.
type endpoints struct {
	list func() []*balancer.Endpoint
}

var (
	endpointInfo     = describe("endpoint_info", "1 for each pod address that can get requests.", "service", "endpoint", "pod")
	endpointRequests = describe("endpoint_requests_total", "Requests sent to the endpoint, including retries.", "service", "endpoint")
	endpointFailures = describe("endpoint_failures_total", "Failed tries that the endpoint caused.", "service", "endpoint")
	endpointInFlight = describe("endpoint_in_flight", "Requests in flight at the endpoint.", "service", "endpoint")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c *endpoints) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{endpointInfo, endpointRequests, endpointFailures, endpointInFlight} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (c *endpoints) Collect(metrics chan<- prometheus.Metric) {
	seen := map[[2]string]bool{}
	for _, e := range c.list() {
		key := [2]string{e.Pool(), e.HostPort()}
		if seen[key] {
			continue // two pods can have one address, but a series must be unique
		}
		seen[key] = true
		metrics <- prometheus.MustNewConstMetric(endpointInfo, prometheus.GaugeValue, 1, key[0], key[1], e.Pod())
		metrics <- prometheus.MustNewConstMetric(endpointRequests, prometheus.CounterValue, float64(e.Requests()), key[0], key[1])
		metrics <- prometheus.MustNewConstMetric(endpointFailures, prometheus.CounterValue, float64(e.Failures()), key[0], key[1])
		metrics <- prometheus.MustNewConstMetric(endpointInFlight, prometheus.GaugeValue, float64(e.InFlight()), key[0], key[1])
	}
}
