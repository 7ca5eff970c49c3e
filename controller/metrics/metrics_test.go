package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

func attached() *Metrics {
	m := New()
	m.Attach(Sources{Server: proxy.New(proxy.Options{}), Leading: func() bool { return true }})
	return m
}

func scrape(m *Metrics) string {
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return recorder.Body.String()
}

// tableOf has Ingresses of the controller's class, without valid rules.
func tableOf(names ...string) (*routing.Table, []routing.Problem) {
	var s routing.Snapshot
	for _, name := range names {
		s.Ingresses = append(s.Ingresses, &networkingv1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{"kubernetes.io/ingress.class": "lab"}},
			Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{
				Service: &networkingv1.IngressServiceBackend{Name: "none", Port: networkingv1.ServiceBackendPort{Number: 80}},
			}},
		})
	}
	return routing.Build(s, routing.Options{IngressClass: "lab"}, nil)
}

func TestNamesFollowPrometheusConventions(t *testing.T) {
	m := attached()
	m.Request(&proxy.Record{Ingress: "shop/web", Service: "shop/web:80", Status: 200})
	faults, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		if strings.HasPrefix(fault.Metric, namespace) {
			t.Errorf("%s: %s", fault.Metric, fault.Text)
		}
	}
}

func TestTableMetrics(t *testing.T) {
	m := attached()
	table, problems := tableOf("a", "b")
	m.Build(table, problems, time.Millisecond, time.Time{})
	m.Build(table, problems, time.Millisecond, time.Now())
	for _, want := range []string{
		"ingresslab_table_builds_total 2",
		"ingresslab_table_build_duration_seconds_count 2",
		"ingresslab_propagation_seconds_count 1\n", // the first table follows no event
		"ingresslab_leader 1",
		`ingresslab_problems{code="ServiceNotFound"}`,
	} {
		if !strings.Contains(scrape(m), want) {
			t.Errorf("%s is missing", want)
		}
	}
	m.Build(&routing.Table{}, nil, 0, time.Time{})
	if strings.Contains(scrape(m), "ingresslab_problems{") {
		t.Error("solved problems are still counted")
	}
}

// Series that are no longer updated would otherwise stay until the process ends.
func TestSeriesEndWithIngress(t *testing.T) {
	m := attached()
	both, _ := tableOf("a", "b")
	m.Build(both, nil, 0, time.Time{})
	for _, name := range []string{"shop/a", "shop/b", ""} {
		m.Request(&proxy.Record{Ingress: name, Status: 200})
	}
	one, _ := tableOf("b")
	m.Build(one, nil, 0, time.Time{})
	text := scrape(m)
	if strings.Contains(text, `ingress="shop/a"`) {
		t.Error("the series of a deleted Ingress still exist")
	}
	for _, want := range []string{`ingress="shop/b"`, `ingress=""`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s was deleted too", want)
		}
	}
}

// A request can end after its Ingress was deleted, or after its Ingress refers to another Service.
func TestSeriesOfLateRequestsEnd(t *testing.T) {
	m := attached()
	one, _ := tableOf("b")
	m.Build(one, nil, 0, time.Time{})
	m.Request(&proxy.Record{Ingress: "shop/gone", Service: "shop/none:80", Status: 200})
	m.Request(&proxy.Record{Ingress: "shop/b", Service: "shop/before:80", Status: 200})
	m.Request(&proxy.Record{Ingress: "shop/b", Service: "shop/none:80", Status: 503})
	m.Build(one, nil, 0, time.Time{})
	text := scrape(m)
	for _, gone := range []string{"shop/gone", "shop/before:80"} {
		if strings.Contains(text, gone) {
			t.Errorf("the series of %s still exist", gone)
		}
	}
	if !strings.Contains(text, `ingresslab_requests_total{ingress="shop/b",service="shop/none:80",status="503"} 1`) {
		t.Error("a series in use was deleted")
	}
}

func TestAnsweredRequestsAreCountedByStep(t *testing.T) {
	m := attached()
	m.Request(&proxy.Record{Ingress: "shop/a", Status: 503, Step: proxy.StepLimits, BytesIn: 150})
	m.Request(&proxy.Record{Ingress: "shop/a", Status: 200})
	text := scrape(m)
	for _, want := range []string{
		`ingresslab_requests_answered_total{ingress="shop/a",status="503",step="limits"} 1`,
		`ingresslab_request_size_bytes_sum{ingress="shop/a",service=""} 150`,
		`ingresslab_request_size_bytes_count{ingress="shop/a",service=""} 2`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(text, `step=""`) {
		t.Error("a request that an endpoint answered is counted as answered by the controller")
	}
}
