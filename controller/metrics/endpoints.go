package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ingresslab/ingresslab/controller/balancer"
)

// endpoints reads the live state of the endpoints at the moment of the scrape, so that the series of a pod end with it.
type endpoints struct {
	list func() []*balancer.Endpoint
}

var (
	endpointInfo     = describe("endpoint_info", "1 for every pod address that may get requests now.", "service", "endpoint", "pod")
	endpointRequests = describe("endpoint_requests_total", "Requests sent to the endpoint, tries included.", "service", "endpoint")
	endpointFailures = describe("endpoint_failures_total", "Tries that failed through the endpoint's fault.", "service", "endpoint")
	endpointInFlight = describe("endpoint_in_flight", "Requests the endpoint works on now.", "service", "endpoint")
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
			continue // one address under two pod names: a series must be unique
		}
		seen[key] = true
		metrics <- prometheus.MustNewConstMetric(endpointInfo, prometheus.GaugeValue, 1, key[0], key[1], e.Pod())
		metrics <- prometheus.MustNewConstMetric(endpointRequests, prometheus.CounterValue, float64(e.Requests()), key[0], key[1])
		metrics <- prometheus.MustNewConstMetric(endpointFailures, prometheus.CounterValue, float64(e.Failures()), key[0], key[1])
		metrics <- prometheus.MustNewConstMetric(endpointInFlight, prometheus.GaugeValue, float64(e.InFlight()), key[0], key[1])
	}
}
