package admission_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ingresslab/ingresslab/controller/admission"
	"github.com/ingresslab/ingresslab/controller/routing"
)

const class = "ingresslab"

// ingress returns an Ingress with one rule: a host, a path, and the Service web.
func ingress(name, host, path string, annotations ...string) *networkingv1.Ingress {
	className, prefix := class, networkingv1.PathTypePrefix
	ing := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{}},
		Spec: networkingv1.IngressSpec{
			IngressClassName: &className,
			Rules: []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
				HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: path, PathType: &prefix,
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80},
					}},
				}}},
			}}},
		},
	}
	for i := 0; i < len(annotations); i += 2 {
		ing.Annotations["nginx.ingress.kubernetes.io/"+annotations[i]] = annotations[i+1]
	}
	return ing
}

// cluster returns a Source with Ingresses that are an hour old, and no Service.
func cluster(ingresses ...*networkingv1.Ingress) admission.Source {
	for _, ing := range ingresses {
		ing.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	}
	options := routing.Options{ControllerClass: "test/controller"}
	snapshot := routing.Snapshot{
		Ingresses: ingresses,
		IngressClasses: []*networkingv1.IngressClass{
			{ObjectMeta: metav1.ObjectMeta{Name: class}, Spec: networkingv1.IngressClassSpec{Controller: "test/controller"}},
		},
	}
	table, problems := routing.Build(snapshot, options, nil)
	return admission.Source{
		Build: func(candidate *networkingv1.Ingress) (*routing.Table, []routing.Problem, error) {
			with := snapshot
			with.Ingresses = append(slices.DeleteFunc(slices.Clone(ingresses), func(ing *networkingv1.Ingress) bool {
				return ing.Namespace == candidate.Namespace && ing.Name == candidate.Name
			}), candidate)
			table, problems := routing.Build(with, options, table.Memory())
			return table, problems, nil
		},
		Problems: func() []routing.Problem { return problems },
	}
}

// ask sends a review as the API server does.
func ask(t testing.TB, source admission.Source, operation admissionv1.Operation, object any) *admissionv1.AdmissionResponse {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "review-1", Operation: operation, Namespace: "shop",
			Resource: metav1.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
			Object:   runtime.RawExtension{Raw: raw},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, admission.Path, bytes.NewReader(body))
	source.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		t.Fatalf("status %d: %s", recorder.Code, recorder.Body)
	}
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.APIVersion != "admission.k8s.io/v1" || answer.Kind != "AdmissionReview" || answer.Response == nil ||
		answer.Response.UID != "review-1" {
		t.Fatalf("not a response to the review: %s", recorder.Body)
	}
	return answer.Response
}

func TestReviewRejectsInvalidIngress(t *testing.T) {
	for name, test := range map[string]struct {
		there     []*networkingv1.Ingress
		candidate *networkingv1.Ingress
		want      string // empty: accepted
	}{
		"valid": {candidate: ingress("web", "shop.test", "/")},
		"host and path of another Ingress": {
			there:     []*networkingv1.Ingress{ingress("first", "shop.test", "/")},
			candidate: ingress("second", "shop.test", "/"),
			want:      "ingress shop/second: spec.rules[0].http.paths[0]: Prefix / of host shop.test is not served: ingress shop/first has Prefix /",
		},
		"host of another Ingress, other path": {
			there:     []*networkingv1.Ingress{ingress("first", "shop.test", "/")},
			candidate: ingress("second", "shop.test", "/cart"),
		},
		"invalid value": {
			candidate: ingress("web", "shop.test", "/", "proxy-read-timeout", "soon"),
			want:      `ingress shop/web: metadata.annotations[nginx.ingress.kubernetes.io/proxy-read-timeout]: "soon"`,
		},
		"unsupported security annotation": {
			candidate: ingress("web", "shop.test", "/", "configuration-snippet", "deny all;"),
			want:      "configuration-snippet",
		},
		"invalid host": {candidate: ingress("web", "shop_test", "/"), want: `spec.rules[0].host: "shop_test"`},
	} {
		t.Run(name, func(t *testing.T) {
			answer := ask(t, cluster(test.there...), admissionv1.Create, test.candidate)
			if answer.Allowed != (test.want == "") {
				t.Fatalf("allowed: %t, result %v, want %q", answer.Allowed, answer.Result, test.want)
			}
			if test.want != "" && !strings.Contains(answer.Result.Message, test.want) {
				t.Errorf("message %q does not contain %q", answer.Result.Message, test.want)
			}
		})
	}
}

// An older Ingress that adds the path of a newer one would win it, and the newer one would not be
// served.
func TestReviewRejectsPathOfNewerIngress(t *testing.T) {
	older, younger := ingress("a-older", "shop.test", "/cart"), ingress("younger", "shop.test", "/")
	source := cluster(older, younger)
	changed := older.DeepCopy()
	changed.Spec.Rules[0].HTTP.Paths[0].Path = "/"
	answer := ask(t, source, admissionv1.Update, changed)
	if answer.Allowed || !strings.Contains(answer.Result.Message, "ingress shop/younger") {
		t.Errorf("allowed %t, result %v; want a rejection with the Ingress that loses its path", answer.Allowed, answer.Result)
	}
}

func TestMissingServiceIsWarning(t *testing.T) {
	answer := ask(t, cluster(), admissionv1.Create, ingress("web", "shop.test", "/"))
	if !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], `service "web" not found`) {
		t.Errorf("allowed %t with warnings %q, want one about the service", answer.Allowed, answer.Warnings)
	}
}

func TestExistingProblemsDoNotRejectChange(t *testing.T) {
	broken := ingress("web", "shop.test", "/", "proxy-read-timeout", "soon")
	source := cluster(broken)
	labeled := broken.DeepCopy()
	labeled.Labels = map[string]string{"team": "cheese"}
	if answer := ask(t, source, admissionv1.Update, labeled); !answer.Allowed || len(answer.Warnings) == 0 {
		t.Errorf("allowed %t with warnings %q, want the label change accepted with a warning about the annotation", answer.Allowed,
			answer.Warnings)
	}
	worse := broken.DeepCopy()
	worse.Annotations["nginx.ingress.kubernetes.io/proxy-send-timeout"] = "later"
	if answer := ask(t, source, admissionv1.Update, worse); answer.Allowed {
		t.Error("a new Problem beside an old one is accepted")
	}
}

func TestReviewAcceptsUnservedObjects(t *testing.T) {
	foreign := ingress("web", "shop_test", "/", "proxy-read-timeout", "soon")
	other := "other"
	foreign.Spec.IngressClassName = &other
	leaving := ingress("web", "shop_test", "/")
	now := metav1.Now()
	leaving.DeletionTimestamp, leaving.Finalizers = &now, []string{"x/y"}
	for name, object := range map[string]*networkingv1.Ingress{"another class": foreign, "being deleted": leaving} {
		if answer := ask(t, cluster(), admissionv1.Update, object); !answer.Allowed || len(answer.Warnings) > 0 {
			t.Errorf("%s: allowed %t with warnings %q", name, answer.Allowed, answer.Warnings)
		}
	}
	if answer := ask(t, cluster(), admissionv1.Delete, nil); !answer.Allowed {
		t.Error("a deletion is rejected")
	}
}

func TestWarningsHaveLimits(t *testing.T) {
	ing := ingress("web", "shop.test", "/")
	for i := range 60 {
		path := ing.Spec.Rules[0].HTTP.Paths[0]
		path.Path = fmt.Sprintf("/%d", i)
		path.Backend.Service = &networkingv1.IngressServiceBackend{
			Name: fmt.Sprintf("%s-%d", strings.Repeat("long", 60), i), Port: networkingv1.ServiceBackendPort{Number: 80},
		}
		ing.Spec.Rules[0].HTTP.Paths = append(ing.Spec.Rules[0].HTTP.Paths, path)
	}
	answer := ask(t, cluster(), admissionv1.Create, ing)
	total := 0
	for _, w := range answer.Warnings {
		if total += len(w); len(w) > 256 {
			t.Errorf("a warning has %d characters", len(w))
		}
	}
	if total > 4096 || !strings.Contains(answer.Warnings[len(answer.Warnings)-1], "more problems") {
		t.Errorf("%d characters, the last of them %q", total, answer.Warnings[len(answer.Warnings)-1])
	}
}

func TestInvalidReviews(t *testing.T) {
	handler := cluster().Handler(slog.New(slog.DiscardHandler))
	for name, test := range map[string]struct {
		method, body string
		want         int
	}{
		"no JSON":    {http.MethodPost, "{", http.StatusBadRequest},
		"no request": {http.MethodPost, "{}", http.StatusBadRequest},
		"a GET":      {http.MethodGet, "", http.StatusMethodNotAllowed},
		"too long":   {http.MethodPost, `{"x":"` + strings.Repeat("x", 9<<20) + `"}`, http.StatusBadRequest},
		"no Ingress": {http.MethodPost, `{"request":{"operation":"CREATE","resource":{"group":"networking.k8s.io","resource":"ingresses"},` +
			`"object":{"spec":7}}}`, http.StatusInternalServerError},
	} {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(test.method, admission.Path, io.NopCloser(strings.NewReader(test.body))))
		if recorder.Code != test.want {
			t.Errorf("%s: status %d, want %d", name, recorder.Code, test.want)
		}
	}
}

// A review with a thousand Ingresses must take less than 50 ms.
func BenchmarkReview(b *testing.B) {
	var there []*networkingv1.Ingress
	for i := range 1000 {
		there = append(there, ingress(fmt.Sprintf("web-%d", i), fmt.Sprintf("shop-%d.test", i), "/", "proxy-read-timeout", "30"))
	}
	source := cluster(there...)
	candidate := ingress("newcomer", "shop-1000.test", "/")
	for b.Loop() {
		ask(b, source, admissionv1.Create, candidate)
	}
}
