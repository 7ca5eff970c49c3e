package metrics

import (
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// requests counts the requests that are over. Finding a series by its labels costs more than counting, so those that were
// found are kept.
type requests struct {
	total    *prometheus.CounterVec
	answered *prometheus.CounterVec
	duration *prometheus.HistogramVec
	received *prometheus.HistogramVec
	sent     *prometheus.HistogramVec
	tries    prometheus.Counter

	mu    sync.RWMutex
	found map[labels]*series
}

// labels are all that tells requests apart.
type labels struct {
	ingress, service, step string
	status                 int
}

// series are where a request with certain labels is counted; answered is nil when an endpoint was asked.
type series struct {
	total, answered          prometheus.Counter
	duration, received, sent prometheus.Observer
}

func newRequests() *requests {
	sizes := prometheus.ExponentialBuckets(100, 10, 7)
	return &requests{
		total: counters("requests_total", "Requests, by outcome.", "ingress", "service", "status"),
		answered: counters("requests_answered_total",
			"Requests that a step of the controller answered before an endpoint was asked: limits, auth and others.", "ingress", "step", "status"),
		duration: histograms("request_duration_seconds", "From header read to last byte written.", prometheus.DefBuckets, "ingress", "service"),
		received: histograms("request_size_bytes", "Body bytes from the client.", sizes, "ingress", "service"),
		sent:     histograms("response_size_bytes", "Body bytes to the client.", sizes, "ingress", "service"),
		tries: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "request_tries_total", Help: "Endpoints that were tried; more than requests: some were tried again.",
		}),
		found: map[labels]*series{},
	}
}

// Describe implements prometheus.Collector.
func (r *requests) Describe(to chan<- *prometheus.Desc) {
	for _, c := range r.collectors() {
		c.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (r *requests) Collect(to chan<- prometheus.Metric) {
	for _, c := range r.collectors() {
		c.Collect(to)
	}
}

func (r *requests) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.total, r.answered, r.duration, r.received, r.sent, r.tries}
}

// count counts one request.
func (r *requests) count(record *proxy.Record) {
	s := r.series(labels{record.Ingress, record.Service, record.Step, record.Status})
	s.total.Inc()
	if s.answered != nil {
		s.answered.Inc()
	}
	s.duration.Observe(record.Duration.Seconds())
	s.received.Observe(float64(record.BytesIn))
	s.sent.Observe(float64(record.BytesOut))
	r.tries.Add(float64(record.Tries))
}

func (r *requests) series(l labels) *series {
	r.mu.RLock()
	s := r.found[l]
	r.mu.RUnlock()
	if s != nil {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := strconv.Itoa(l.status)
	s = &series{
		total:    r.total.WithLabelValues(l.ingress, l.service, status),
		duration: r.duration.WithLabelValues(l.ingress, l.service),
		received: r.received.WithLabelValues(l.ingress, l.service),
		sent:     r.sent.WithLabelValues(l.ingress, l.service),
	}
	if l.step != "" {
		s.answered = r.answered.WithLabelValues(l.ingress, l.step, status)
	}
	r.found[l] = s
	return s
}

// dropGone removes the series of Ingresses and Services that the table does not know. A request that began with an older
// table and ends later makes them anew, until the next table.
func (r *requests) dropGone(table *routing.Table) {
	services := map[string]bool{}
	for _, pool := range table.Pools() {
		services[pool.Key()] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range r.found {
		goneIngress := l.ingress != "" && !claims(table, l.ingress)
		if !goneIngress && (l.service == "" || services[l.service]) {
			continue
		}
		status := strconv.Itoa(l.status)
		r.total.DeleteLabelValues(l.ingress, l.service, status)
		r.duration.DeleteLabelValues(l.ingress, l.service)
		r.received.DeleteLabelValues(l.ingress, l.service)
		r.sent.DeleteLabelValues(l.ingress, l.service)
		if goneIngress {
			r.answered.DeleteLabelValues(l.ingress, l.step, status)
		}
		delete(r.found, l)
	}
}

func claims(table *routing.Table, ingress string) bool {
	namespace, name, _ := strings.Cut(ingress, "/")
	return table.Claims(types.NamespacedName{Namespace: namespace, Name: name})
}
