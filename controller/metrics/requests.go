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

// requests counts finished requests. Finding a series by its labels costs more than counting, so
// the series are cached.
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

// labels are the labels of a request's series.
type labels struct {
	ingress, service, step string
	status                 int
}

// series are the series of requests with equal labels; answered is nil if an endpoint got the
// request.
type series struct {
	total, answered          prometheus.Counter
	duration, received, sent prometheus.Observer
}

func newRequests() *requests {
	sizes := prometheus.ExponentialBuckets(100, 10, 7)
	return &requests{
		total: counters("requests_total", "Requests, by status.", "ingress", "service", "status"),
		answered: counters("requests_answered_total",
			"Requests that a step of the controller answered without an endpoint.", "ingress", "step", "status"),
		duration: histograms("request_duration_seconds",
			"Time from reading the request header to writing the last byte of the response.", prometheus.DefBuckets, "ingress", "service"),
		received: histograms("request_size_bytes", "Request body bytes from the client.", sizes, "ingress", "service"),
		sent:     histograms("response_size_bytes", "Response body bytes to the client.", sizes, "ingress", "service"),
		tries: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "request_tries_total",
			Help: "Endpoints tried; exceeds the number of forwarded requests if some were retried.",
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

// deleteStale removes the series of Ingresses and Services that are not in the table. A request
// that started with an older table can create them again. The next table removes them.
func (r *requests) deleteStale(table *routing.Table) {
	services := map[string]bool{}
	for _, pool := range table.Pools() {
		services[pool.Key()] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range r.found {
		staleIngress := l.ingress != "" && !hasIngress(table, l.ingress)
		if !staleIngress && (l.service == "" || services[l.service]) {
			continue
		}
		status := strconv.Itoa(l.status)
		r.total.DeleteLabelValues(l.ingress, l.service, status)
		r.duration.DeleteLabelValues(l.ingress, l.service)
		r.received.DeleteLabelValues(l.ingress, l.service)
		r.sent.DeleteLabelValues(l.ingress, l.service)
		if staleIngress {
			r.answered.DeleteLabelValues(l.ingress, l.step, status)
		}
		delete(r.found, l)
	}
}

func hasIngress(table *routing.Table, ingress string) bool {
	namespace, name, _ := strings.Cut(ingress, "/")
	return table.Claims(types.NamespacedName{Namespace: namespace, Name: name})
}
