package scenario

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// apiOnly is a Kube of which only the typed client works.
type apiOnly struct {
	Kube
	clientset kubernetes.Interface
}

func (k apiOnly) Clientset() kubernetes.Interface { return k.clientset }

func ingressOf(host, service string) *networkingv1.Ingress {
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: service},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: host,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: service, Port: networkingv1.ServiceBackendPort{Name: "http"},
				}},
			}}}},
		}}},
	}
}

func serviceOf(name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
}

// explainer is a controller that considers the Ingress with a rule for the host, and others.
type explainer struct{}

func (explainer) AskPod(_ context.Context, _, _, _ string, query url.Values, _ string) (*kube.Answer, error) {
	const all = `{"candidates": [%s
		{"ingress": "other/c", "cause": "BestMatch"}, {"ingress": "ns/c", "cause": "OtherHost"}]}`
	candidates := ""
	switch query.Get("url") {
	case "http://a.test/":
		candidates = `{"ingress": "ns/a", "cause": "BestMatch", "won": true},`
	case "http://x.b.test/":
		candidates = `{"ingress": "ns/b", "cause": "PathUnmatched"},`
	}
	return &kube.Answer{Status: http.StatusOK, Body: fmt.Appendf(nil, all, candidates)}, nil
}

// The diagnostics of a failed expectation have the Ingresses that the controller considers, and
// their Services. If there are none, any Ingress can have the fault.
func TestDiagnosticsHaveConsideredIngresses(t *testing.T) {
	api := fake.NewClientset(
		ingressOf("a.test", "a"), ingressOf("*.b.test", "b"), serviceOf("a"), serviceOf("b"), serviceOf("c"),
	)
	r := &runner{env: Env{Kube: apiOnly{clientset: api}, Controller: explainer{}}, names: isolation{namespace: "ns"}}
	for url, want := range map[string]string{
		"http://a.test/":   "ingress a service a",
		"http://x.b.test/": "ingress b service b",
		"http://b.test/":   "ingress a ingress b service a service b",
	} {
		d, lost := r.diagnose(t.Context(), Step{Expect: &Expect{URL: url}})
		if lost != nil {
			t.Fatal(lost)
		}
		var got []string
		for _, i := range d.Ingresses {
			got = append(got, "ingress "+i.Name)
		}
		for _, s := range d.Services {
			got = append(got, "service "+s.Name)
		}
		if strings.Join(got, " ") != want || d.Error != "" {
			t.Errorf("diagnostics of %s show %s (%s), want %s", url, got, d.Error, want)
		}
	}
}

func TestNewestWarningsComeOldestFirst(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var events []corev1.Event
	for i, reason := range []string{"Six", "Five", "Four", "Three", "Two", "One"} {
		at := metav1.NewTime(begin.Add(-time.Duration(i) * time.Minute))
		events = append(events, corev1.Event{Type: corev1.EventTypeWarning, Reason: reason, LastTimestamp: at,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "p"}})
	}
	events = append(events, corev1.Event{Type: corev1.EventTypeNormal, Reason: "Pulled", LastTimestamp: metav1.NewTime(begin)})
	got := strings.Join(warnings(events), " ")
	if want := "pod p: Two:  pod p: Three:  pod p: Four:  pod p: Five:  pod p: Six: "; got != want {
		t.Errorf("warnings %q, want %q", got, want)
	}
}

func TestEndpointsAreCountedByPod(t *testing.T) {
	ready, unready := countEndpoints(nil, "web")
	if ready != 0 || unready != 0 {
		t.Errorf("no slices have %d ready and %d unready endpoints", ready, unready)
	}
	no := false
	endpoint := func(pod, address string, ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ready}, TargetRef: &corev1.ObjectReference{Name: pod},
		}
	}
	slice := func(service string, endpoints ...discoveryv1.Endpoint) discoveryv1.EndpointSlice {
		return discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{discoveryv1.LabelServiceName: service}}, Endpoints: endpoints,
		}
	}
	ready, unready = countEndpoints([]discoveryv1.EndpointSlice{
		slice("web", endpoint("a", "10.0.0.1", nil), endpoint("b", "10.0.0.2", &no)),
		slice("web", endpoint("a", "fd00::1", nil), discoveryv1.Endpoint{Addresses: []string{"10.0.0.9"}}),
		slice("other", endpoint("c", "10.0.0.3", nil)),
	}, "web")
	if ready != 2 || unready != 1 {
		t.Errorf("%d ready and %d unready endpoints, want 2 and 1", ready, unready)
	}
}
