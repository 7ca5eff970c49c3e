package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

const namespace = "ingresslab"

// Metrics holds the metrics of one controller. Its methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests    *requests
	builds      prometheus.Counter
	buildTime   prometheus.Histogram
	propagation prometheus.Histogram
	routes      prometheus.Gauge
	hosts       prometheus.Gauge
	problems    *prometheus.GaugeVec
	endpoints   prometheus.Gauge
	expiry      *prometheus.GaugeVec
	watchErrors *prometheus.CounterVec
}

// Sources provide metrics that other packages keep.
type Sources struct {
	// Server provides its endpoints, requests in flight, and mirrored requests.
	Server *proxy.Server
	// Leading reports whether this replica is the leader.
	Leading func() bool
	// AccessLogDropped returns the number of dropped log lines. It is nil without an access log.
	AccessLogDropped func() uint64
}

// New returns Metrics, all zero.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: newRequests(),
		builds:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "table_builds_total", Help: "Routing tables built."}),
		buildTime: histogram("table_build_duration_seconds",
			"Time to list the objects, and to build and load the routing table.", prometheus.ExponentialBuckets(0.0001, 1.5, 25)),
		propagation: histogram("propagation_seconds",
			"Time from the first event of a change until its routing table is in effect.", prometheus.ExponentialBuckets(0.001, 2, 12)),
		routes:    gauge("table_routes", "Routes in the current routing table."),
		hosts:     gauge("table_hosts", "Hosts in the current routing table."),
		problems:  gauges("problems", "Current problems in objects of the controller's class, by code.", "code"),
		endpoints: gauge("table_endpoints", "Pod addresses in the pools of the current routing table."),
		expiry: gauges("certificate_expiry_timestamp_seconds",
			"Expiry of the served certificate in a Secret, in Unix time.", "secret"),
		watchErrors: counters("watch_errors_total", "Failed lists and watches of the API server.", "resource"),
	}
	m.registry.MustRegister(m.requests, m.builds, m.buildTime, m.propagation,
		m.routes, m.hosts, m.endpoints, m.problems, m.expiry, m.watchErrors,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Attach registers the metrics of the sources. Call it once.
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
			Namespace: namespace, Name: "mirrored_requests_total", Help: "Copies of requests sent to mirrors.",
		}, func() float64 { sent, _ := s.Server.Mirrored(); return float64(sent) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: namespace, Name: "mirrored_requests_dropped_total",
			Help: "Copies of requests that were dropped: too many in flight, too large, or incomplete.",
		}, func() float64 { _, dropped := s.Server.Mirrored(); return float64(dropped) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: namespace, Name: "access_log_dropped_total", Help: "Access log lines dropped because the log's reader was too slow.",
		}, func() float64 {
			if s.AccessLogDropped == nil {
				return 0
			}
			return float64(s.AccessLogDropped())
		}),
	)
}

// Handler serves the metrics in Prometheus format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Request counts one finished request.
func (m *Metrics) Request(r *proxy.Record) { m.requests.count(r) }

// WatchError counts a failed list or watch.
func (m *Metrics) WatchError(resource string) { m.watchErrors.WithLabelValues(resource).Inc() }

// Build records a table that is now in effect: how long it took to build, when the first event of
// the change was received (zero for the first table), and its contents.
func (m *Metrics) Build(table *routing.Table, problems []routing.Problem, took time.Duration, event time.Time) {
	m.builds.Inc()
	m.buildTime.Observe(took.Seconds())
	if !event.IsZero() {
		m.propagation.Observe(time.Since(event).Seconds())
	}
	m.routes.Set(float64(len(table.Routes())))
	m.hosts.Set(float64(len(table.Hosts())))
	endpoints := 0
	for _, pool := range table.Pools() {
		endpoints += len(pool.Endpoints)
	}
	m.endpoints.Set(float64(endpoints))
	m.problems.Reset()
	for _, problem := range problems {
		m.problems.WithLabelValues(problem.Code).Inc()
	}
	m.expiry.Reset()
	for _, certificate := range table.Certificates() {
		m.expiry.WithLabelValues(certificate.Secret.String()).Set(float64(certificate.NotAfter.Unix()))
	}
	m.requests.deleteStale(table)
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

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}
