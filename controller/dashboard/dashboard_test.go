package dashboard

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// get fetches a path of the status page.
func get(t *testing.T, source Source, path string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	New(source).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

const markup = "<script>alert(1)</script>"

// source has one Ingress, and markup in every text that a user can choose.
func source() Source { return with(objects()) }

// served is source with a pod behind its Service.
func served() Source {
	snapshot := objects()
	snapshot.EndpointSlices = slicesOfWeb()
	return with(snapshot)
}

func slicesOfWeb() []*discoveryv1.EndpointSlice {
	name, port := "", int32(8080)
	return []*discoveryv1.EndpointSlice{{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.0.0.1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web-a"},
		}},
		Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
	}}
}

// objects returns an Ingress and its Service.
func objects() routing.Snapshot {
	exact := networkingv1.PathTypeExact
	return routing.Snapshot{
		Ingresses: []*networkingv1.Ingress{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{"kubernetes.io/ingress.class": "lab"}},
			Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
				Host: "shop.test",
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: "/a&b", PathType: &exact, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}},
				}}}},
			}}},
		}},
		Services: []*corev1.Service{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
		}},
	}
}

// with returns the Source of a snapshot.
func with(snapshot routing.Snapshot) Source {
	table, problems := routing.Build(snapshot, routing.Options{
		IngressClass: "lab", ConfigMap: types.NamespacedName{Namespace: "system", Name: "settings"},
	}, nil)
	problems = append(problems, routing.Problem{
		Object: routing.ObjectRef{Kind: "Ingress", Namespace: "shop", Name: "web"}, Field: "spec", Code: "Odd",
		Reason: routing.Because(routing.PathMalformed, "text", markup),
	})
	registry := balancer.NewRegistry(nil)
	registry.Update(map[string][]balancer.Identity{"shop/web:80": {{Address: netip.MustParseAddrPort("10.0.0.1:8080"), Pod: "shop/web-a"}}})
	return Source{
		Table:     func() *routing.Table { return table },
		Problems:  func() []routing.Problem { return problems },
		Endpoints: registry.Endpoints,
		Traffic: func() Traffic {
			return Traffic{Active: 3, Reading: 1, Writing: 1, Waiting: 1, Accepted: 7, Handled: 7, Requests: 9}
		},
		State: func() State {
			return State{Identity: markup, Started: time.Now(), WatchErrors: map[string]WatchError{"services": {Message: markup}}}
		},
	}
}

func TestPageEscapesTexts(t *testing.T) {
	response := get(t, source(), "/?url="+"http%3A%2F%2Fshop.test%2F%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
	body := response.Body.String()
	if strings.Contains(body, markup) || strings.Contains(body, `"><script>`) {
		t.Errorf("the page contains markup:\n%s", body)
	}
	for _, want := range []string{"&lt;script&gt;", "/a&amp;b", "shop.test"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if policy := response.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("content security policy %q", policy)
	}
}

func TestPageAssetsExist(t *testing.T) {
	body := get(t, source(), "/").Body.String()
	for _, asset := range []string{"assets/style.css", "assets/live.js"} {
		if !strings.Contains(body, `"`+asset+`"`) {
			t.Errorf("the page does not use %s", asset)
		}
		if response := get(t, source(), "/"+asset); response.Code != http.StatusOK {
			t.Errorf("%s: status %d", asset, response.Code)
		}
	}
	if response := get(t, source(), "/nowhere"); response.Code != http.StatusNotFound {
		t.Errorf("unknown path: status %d", response.Code)
	}
}

func TestStubStatusHasFormatOfNginx(t *testing.T) {
	want := "Active connections: 3 \nserver accepts handled requests\n 7 7 9 \nReading: 1 Writing: 1 Waiting: 1 \n"
	if got := get(t, source(), "/nginx_status").Body.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// With enable-vts-status, a browser gets a page with pods, and a script still gets text.
func TestVTSStatusListsPods(t *testing.T) {
	snapshot := objects()
	snapshot.EndpointSlices = slicesOfWeb()
	snapshot.ConfigMaps = []*corev1.ConfigMap{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "settings"}, Data: map[string]string{"enable-vts-status": "true"},
	}}
	for _, test := range []struct {
		source     Source
		accept     string
		page, pods bool
	}{
		{served(), "text/html", false, false},
		{with(snapshot), "*/*", false, false},
		{with(snapshot), "text/html,application/xhtml+xml", true, true},
	} {
		request := httptest.NewRequest(http.MethodGet, "/nginx_status", nil)
		request.Header.Set("Accept", test.accept)
		recorder := httptest.NewRecorder()
		New(test.source).ServeHTTP(recorder, request)
		body := recorder.Body.String()
		page := strings.Contains(body, "<html")
		if page != test.page || strings.Contains(body, "10.0.0.1:8080") != test.pods || !strings.Contains(body, "Active connections: 3 \n") {
			t.Errorf("accept %s: %s", test.accept, body)
		}
		if page && (strings.Contains(body, markup) || strings.Contains(body, "src=") || strings.Contains(body, "href=")) {
			t.Errorf("the page contains markup, or loads another file:\n%s", body)
		}
	}
}

func TestJSONHasNoNull(t *testing.T) {
	empty := source()
	empty.Table = func() *routing.Table { return &routing.Table{} }
	empty.Problems = func() []routing.Problem { return nil }
	empty.Endpoints = func() []*balancer.Endpoint { return nil }
	for _, test := range []struct {
		path, key  string
		full, none int
	}{
		{"/api/v1/table", "hosts", 1, 0}, {"/api/v1/endpoints", "pools", 1, 0}, {"/api/v1/problems", "problems", 1, 0},
	} {
		for which, s := range map[int]Source{test.full: source(), test.none: empty} {
			var data map[string]json.RawMessage
			if err := json.Unmarshal(get(t, s, test.path).Body.Bytes(), &data); err != nil {
				t.Fatalf("%s: %v", test.path, err)
			}
			var list []any
			if err := json.Unmarshal(data[test.key], &list); err != nil || list == nil || len(list) < which {
				t.Errorf("%s: %s", test.path, data[test.key])
			}
		}
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		url    string
		code   int
		status int
	}{
		{"http://shop.test/a&b", 200, 503},
		{"http://shop.test", 200, 404},
		{"https://other.test:8443/x", 200, 404},
		{"shop.test", 400, 0},
		{"ftp://shop.test/", 400, 0},
		{"http://[::1", 400, 0},
	} {
		response := get(t, source(), "/api/v1/explain?url="+strings.NewReplacer("&", "%26", "[", "%5B").Replace(test.url))
		var explanation Explanation
		if err := json.Unmarshal(response.Body.Bytes(), &explanation); err != nil {
			t.Fatalf("%s: %v", test.url, err)
		}
		if response.Code != test.code || explanation.Status != test.status {
			t.Errorf("%s: status %d, explained as %d (%s), want %d and %d", test.url, response.Code, explanation.Status, explanation.Reason,
				test.code, test.status)
		}
	}
}

func TestPageRejectsPost(t *testing.T) {
	recorder := httptest.NewRecorder()
	New(source()).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/", nil))
	if recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", recorder.Code)
	}
}
