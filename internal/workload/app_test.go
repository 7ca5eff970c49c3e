package workload_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/workload"
)

var someone = workload.Identity{Namespace: "lab-1", Pod: "pod-1", Node: "worker"}

func newBackend(t *testing.T) *workload.App {
	t.Helper()
	app, err := workload.NewBackend(1, 8080, someone)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func newCheese(t *testing.T, name string) *workload.App {
	t.Helper()
	app, err := workload.NewCheese(name, someone)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func newDefaultBackend(t *testing.T) *workload.App {
	t.Helper()
	app, err := workload.NewDefaultBackend(someone)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// ask sends a request to a handler and returns the response.
func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryResponseHasIdentityHeaders(t *testing.T) {
	tests := []struct {
		app    *workload.App
		method string
		target string
		status int
		name   string
	}{
		{newCheese(t, "cheddar"), "GET", "/", 200, "cheddar"},
		{newCheese(t, "stilton"), "GET", "/cheese.svg", 200, "stilton"},
		{newCheese(t, "wensleydale"), "HEAD", "/healthz", 200, "wensleydale"},
		{newBackend(t), "GET", "/eightyeighty", 200, "backend-1"},
		{newBackend(t), "GET", "/status/503", 503, "backend-1"},
		{newBackend(t), "GET", "/bytes?n=many", 400, "backend-1"},
		{newDefaultBackend(t), "GET", "/anything", 404, "default-backend"},
	}
	for _, tt := range tests {
		w := ask(tt.app, tt.method, tt.target)
		if w.Code != tt.status {
			t.Errorf("%s %s of %s: status %d, want %d", tt.method, tt.target, tt.name, w.Code, tt.status)
		}
		if got := w.Header().Get("X-App"); got != tt.name {
			t.Errorf("%s %s: X-App %q, want %q", tt.method, tt.target, got, tt.name)
		}
		if got := w.Header().Get("X-Served-By"); got != "lab-1/pod-1" {
			t.Errorf("%s %s of %s: X-Served-By %q, want lab-1/pod-1", tt.method, tt.target, tt.name, got)
		}
	}
}

// An Ingress keeps the prefix of a path, so controls must match below it.
func TestControlsMatchBelowPrefix(t *testing.T) {
	app := newBackend(t)
	tests := []struct {
		target string
		status int
		body   string
	}{
		{"/", 200, "This is Web Server 1 running on 8080!"},
		{"/eightyeighty", 200, "This is Web Server 1 running on 8080!"},
		{"/echoes", 200, "This is Web Server 1 running on 8080!"},
		{"/status/418", 418, "418 I'm a teapot"},
		{"/eightyeighty/status/503", 503, "503 Service Unavailable"},
		{"/a//b/status/404/more", 404, "404 Not Found"},
		{"/eightyeighty/echo/x%2Fy", 200, `"path": "/eightyeighty/echo/x%2Fy"`},
		{"/echo/status/503", 200, `"path": "/echo/status/503"`},
		{"/eightyeighty/healthz", 200, "ok"},
	}
	for _, tt := range tests {
		w := ask(app, "GET", tt.target)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("GET %s: %d %q, want %d with %q", tt.target, w.Code, w.Body, tt.status, tt.body)
		}
	}
}

func TestReadyzChangesReadiness(t *testing.T) {
	app := newCheese(t, "cheddar")
	steps := []struct {
		method, target string
		status         int
	}{
		{"GET", "/readyz", 200},
		{"GET", "/readyz?ready=false", 405},
		{"GET", "/readyz", 200},
		{"POST", "/readyz?ready=nope", 400},
		{"POST", "/readyz?redy=false", 400},
		{"GET", "/readyz", 200},
		{"POST", "/readyz?ready=false", 200},
		{"GET", "/readyz", 503},
		{"GET", "/healthz", 200},
		{"GET", "/", 200},
		{"POST", "/readyz?ready=true", 200},
		{"GET", "/readyz", 200},
	}
	for i, step := range steps {
		if w := ask(app, step.method, step.target); w.Code != step.status {
			t.Fatalf("step %d, %s %s: status %d, want %d: %s", i, step.method, step.target, w.Code, step.status, w.Body)
		}
	}
}

func TestBackendRejectsNumberBelowOne(t *testing.T) {
	if _, err := workload.NewBackend(0, 8080, someone); err == nil || !strings.Contains(err.Error(), "number 0") {
		t.Errorf("NewBackend(0) = %v, want an error about the number", err)
	}
}

func TestDefaultBackendServesUnmatchedRequests(t *testing.T) {
	app := newDefaultBackend(t)
	tests := []struct {
		target  string
		headers []string
		status  int
		body    string
	}{
		{"/", nil, 404, "default backend - 404"},
		{"/healthz", nil, 200, "ok"},
		{"/readyz", nil, 200, "ready"},
		// An unmatched request can have the path of a control.
		{"/shop/healthz", nil, 404, "default backend - 404"},
		{"/echo", nil, 404, "default backend - 404"},
		{"/x", []string{"X-Code", "503"}, 503, "default backend - 503"},
		{"/x", []string{"X-Code", "200"}, 404, "default backend - 404"},
		{"/x", []string{"X-Code", "teapot"}, 404, "default backend - 404"},
		{"/x", []string{"Accept", "text/html,*/*"}, 404, "<title>404 Not Found</title>"},
		{"/x", []string{"Accept", "text/html", "X-Code", "503"}, 503, "<title>503 Service Unavailable</title>"},
		{"/%3Cscript%3E", []string{"Accept", "text/html"}, 404, "example.com/&lt;script&gt;"},
	}
	for _, tt := range tests {
		w := ask(app, "GET", tt.target, tt.headers...)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("GET %s %v: %d, want %d with %q in\n%s", tt.target, tt.headers, w.Code, tt.status, tt.body, w.Body)
		}
	}
}
