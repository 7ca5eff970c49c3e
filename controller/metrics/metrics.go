// Package metrics counts what the controller does, for Prometheus. Read metrics.go for what there is, endpoints.go for
// the figures of each pod address.
//
//	ingresslab_requests_total{ingress,service,status}         requests, by outcome; ingress and service are empty when no rule won
//	ingresslab_request_duration_seconds{ingress,service}      histogram: header read to last byte written
//	ingresslab_response_size_bytes{ingress,service}           histogram: body bytes to the client
//	ingresslab_request_tries_total                            endpoints that were tried; more than requests: some were retried
//	ingresslab_requests_in_flight                             requests being served, upgraded connections included
//	ingresslab_endpoint_info{service,endpoint,pod}            1 for every pod address that may get requests now
//	ingresslab_endpoint_requests_total{service,endpoint}      requests sent to it, tries included
//	ingresslab_endpoint_failures_total{service,endpoint}      tries that failed through its fault
//	ingresslab_endpoint_in_flight{service,endpoint}           requests it works on now
//	ingresslab_table_builds_total                             tables built
//	ingresslab_table_build_duration_seconds                   histogram: listing, building and swapping
//	ingresslab_table_routes, ingresslab_table_hosts           size of the table that decides now
//	ingresslab_propagation_seconds                            histogram: first event of a change received, to its table live
//	ingresslab_problems{code}                                 problems in the objects of our class, now
//	ingresslab_watch_errors_total{resource}                   lists and watches that failed
//	ingresslab_access_log_dropped_total                       log lines lost because nobody read them
//	ingresslab_leader                                         1 while this replica writes status and Events
//
// The labels are bounded by the objects in the cluster, never by what clients send: series of Ingresses and endpoints that
// are gone are dropped.
package metrics

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

const namespace = "ingresslab"

// Metrics holds the figures of one controller. Its methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry

	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	size        *prometheus.HistogramVec
	tries       prometheus.Counter
	builds      prometheus.Counter
	buildTime   prometheus.Histogram
	propagation prometheus.Histogram
	routes      prometheus.Gauge
	hosts       prometheus.Gauge
	problems    *prometheus.GaugeVec
	watchErrors *prometheus.CounterVec

	mu        sync.Mutex
	ingresses map[types.NamespacedName]bool
}

// Sources are the figures that somebody else keeps.
type Sources struct {
	// Server is asked for its endpoints and the requests in flight.
	Server *proxy.Server
	// Leading reports whether this replica writes.
	Leading func() bool
	// AccessLogDropped is the number of lines lost; nil without an access log.
	AccessLogDropped func() uint64
}

// New makes the figures, all zero.
func New() *Metrics {
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		requests:    counters("requests_total", "Requests, by outcome.", "ingress", "service", "status"),
		duration:    histograms("request_duration_seconds", "From header read to last byte written.", prometheus.DefBuckets, "ingress", "service"),
		size:        histograms("response_size_bytes", "Body bytes to the client.", prometheus.ExponentialBuckets(100, 10, 7), "ingress", "service"),
		tries:       prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "request_tries_total", Help: "Endpoints that were tried."}),
		builds:      prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "table_builds_total", Help: "Tables built."}),
		buildTime:   histogram("table_build_duration_seconds", "Listing, building and swapping.", prometheus.ExponentialBuckets(0.0001, 4, 8)),
		propagation: histogram("propagation_seconds", "From the first event of a change to its table being live.", prometheus.ExponentialBuckets(0.001, 2, 12)),
		routes:      gauge("table_routes", "Routes in the table that decides now."),
		hosts:       gauge("table_hosts", "Hosts in the table that decides now."),
		problems:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "problems", Help: "Problems, by code."}, []string{"code"}),
		watchErrors: counters("watch_errors_total", "Lists and watches that failed.", "resource"),
		ingresses:   map[types.NamespacedName]bool{},
	}
	m.registry.MustRegister(m.requests, m.duration, m.size, m.tries, m.builds, m.buildTime, m.propagation,
		m.routes, m.hosts, m.problems, m.watchErrors,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Attach adds the figures that others keep. It is called once.
func (m *Metrics) Attach(s Sources) {
	m.registry.MustRegister(
		&endpoints{list: s.Server.Endpoints},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "requests_in_flight", Help: "Requests being served.",
		}, func() float64 { return float64(s.Server.InFlight()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "leader", Help: "1 while this replica writes status and Events.",
		}, func() float64 {
			if s.Leading() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: namespace, Name: "access_log_dropped_total", Help: "Log lines lost because nobody read them.",
		}, func() float64 {
			if s.AccessLogDropped == nil {
				return 0
			}
			return float64(s.AccessLogDropped())
		}),
	)
}

// Handler serves the figures in Prometheus' format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Request counts one request that is over.
func (m *Metrics) Request(r *proxy.Record) {
	m.requests.WithLabelValues(r.Ingress, r.Service, strconv.Itoa(r.Status)).Inc()
	m.duration.WithLabelValues(r.Ingress, r.Service).Observe(r.Duration.Seconds())
	m.size.WithLabelValues(r.Ingress, r.Service).Observe(float64(r.BytesOut))
	m.tries.Add(float64(r.Tries))
}

// WatchError counts a list or watch that failed.
func (m *Metrics) WatchError(resource string) { m.watchErrors.WithLabelValues(resource).Inc() }

// Build counts a table that is live now: how long it took to make, when the first event of the change was received
// (zero: there was none, it is the first table), and what is in it.
func (m *Metrics) Build(table *routing.Table, problems []routing.Problem, took time.Duration, event time.Time) {
	m.builds.Inc()
	m.buildTime.Observe(took.Seconds())
	if !event.IsZero() {
		m.propagation.Observe(time.Since(event).Seconds())
	}
	m.routes.Set(float64(len(table.Routes())))
	m.hosts.Set(float64(len(table.Hosts())))
	m.problems.Reset()
	for _, problem := range problems {
		m.problems.WithLabelValues(problem.Code).Inc()
	}
	m.dropGone(table)
}

// dropGone removes the series of Ingresses that are no longer ours.
func (m *Metrics) dropGone(table *routing.Table) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.ingresses {
		if !table.Claims(name) {
			gone := prometheus.Labels{"ingress": name.String()}
			m.requests.DeletePartialMatch(gone)
			m.duration.DeletePartialMatch(gone)
			m.size.DeletePartialMatch(gone)
			delete(m.ingresses, name)
		}
	}
	for _, name := range table.Ingresses() {
		m.ingresses[name] = true
	}
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}
