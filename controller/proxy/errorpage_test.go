package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

const errorPod = "10.0.0.8:80"

// errorRig is a rig with an error backend that responds with the status, and sends its requests on
// the channel. The route's pod responds with the status in the path.
func errorRig(t *testing.T, annotations map[string]string, status int, objects ...object) (*rig, <-chan *http.Request) {
	t.Helper()
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, q *http.Request) {
		code := map[string]int{"/gone": 410, "/broken": 500, "/missing": 404}[q.URL.Path]
		w.Header().Set("X-Endpoint", "yes")
		w.WriteHeader(max(code, 200))
		_, _ = io.WriteString(w, "secret page")
	})
	asked := make(chan *http.Request, 100)
	r.pod(errorPod, func(w http.ResponseWriter, q *http.Request) {
		asked <- q
		w.Header().Set("Content-Type", "text/x-error")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "error page")
	})
	all := map[string]string{"custom-http-errors": "401,403,404,500,502,503", "default-backend": "pages"}
	for name, value := range annotations {
		all[name] = value
	}
	if problems := r.world(all, append(objects, service("pages", errorPod))...); len(problems) > 0 {
		t.Log(problems)
	}
	return r, asked
}

func TestErrorPageReplacesResponse(t *testing.T) {
	r, asked := errorRig(t, nil, 418, func(s *routing.Snapshot) { // X-Service-Port is as in the Ingress: a number
		name := "http"
		s.Services[0].Spec.Ports[0].Name, s.EndpointSlices[0].Ports[0].Name = name, &name
	})
	request := r.request(http.MethodPost, "/missing?a=b", strings.NewReader("a body"))
	for name, value := range map[string]string{
		"Accept": "text/x-error", "Authorization": "Bearer x", "If-None-Match": "x", "X-Code": "200", "X-Namespace": "evil", "X_Code": "200",
	} {
		request.Header.Set(name, value)
	}
	response, body := r.do(request)
	if response.StatusCode != 418 || body != "error page" || response.Header.Get("X-Endpoint") != "" {
		t.Errorf("status %d, body %q, header %v; want all from the error backend", response.StatusCode, body, response.Header)
	}
	q := <-asked
	if q.Method != http.MethodGet || q.RequestURI != "/" || q.Host != host || q.ContentLength != 0 {
		t.Errorf("the error backend got %s %s of %s with %d bytes", q.Method, q.RequestURI, q.Host, q.ContentLength)
	}
	for name, want := range map[string]string{
		"X-Code": "404", "X-Format": "text/x-error", "X-Original-Uri": "/missing?a=b", "X-Namespace": "shop", "X-Ingress-Name": "web",
		"X-Service-Name": "web", "X-Service-Port": "80", "Authorization": "", "If-None-Match": "", "X_code": "",
	} {
		if got := strings.Join(q.Header[name], " | "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if record := r.record(); q.Header.Get("X-Request-Id") != record.RequestID || record.Status != 418 {
		t.Errorf("request id %q, record %+v", q.Header.Get("X-Request-Id"), record)
	}
}

func TestErrorPages(t *testing.T) {
	shut := map[string]string{"auth-type": "basic", "auth-secret": "users"}
	tests := map[string]struct {
		annotations map[string]string
		method      string
		path        string
		headers     []string
		change      func(*rig)
		code, want  string // of the request to the error backend, and the first line of the response
	}{
		"not in the list":            {path: "/gone", want: "410 secret page"},
		"success":                    {path: "/", want: "200 secret page"},
		"error backend responds 200": {path: "/broken", code: "500", want: "200 error page"},
		"HEAD stays HEAD":            {method: "HEAD", path: "/broken", code: "500", want: "200 "},
		"gRPC client": {
			method: "POST", path: "/broken", headers: []string{"Content-Type: application/grpc"}, want: "500 secret page",
		},
		"connection refused": {
			path: "/", change: func(r *rig) { r.podAt("10.0.0.1:80", "127.0.0.1:1") }, code: "502", want: "200 error page",
		},
		"a wrong password": {annotations: shut, path: "/", code: "401", want: "200 error page"},
		"a wrong address": {annotations: map[string]string{"denylist-source-range": "127.0.0.0/8"}, path: "/", code: "403",
			want: "200 error page"},
		"invalid security annotation": {annotations: map[string]string{"auth-type": "basic", "auth-secret": "none"}, path: "/",
			code: "503", want: "200 error page"},
		"the error backend, too": {path: "/missing", change: func(r *rig) { r.podAt(errorPod, "127.0.0.1:1") }, want: "404 404 Not Found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, asked := errorRig(t, test.annotations, 200, secret("users", map[string]string{"auth": users}))
			if test.change != nil {
				test.change(r)
			}
			if test.method == "" {
				test.method = http.MethodGet
			}
			response, body := r.send(test.method, test.path, test.headers...)
			first, _, _ := strings.Cut(body, "\n")
			if got := response.Status[:4] + first; strings.TrimSpace(got) != strings.TrimSpace(test.want) {
				t.Errorf("response %q, want %q", got, test.want)
			}
			code := ""
			if len(asked) > 0 {
				q := <-asked
				code = q.Header.Get("X-Code")
				if q.Method != http.MethodGet && q.Method != http.MethodHead {
					t.Errorf("the error backend got method %s", q.Method)
				}
			}
			if code != test.code {
				t.Errorf("the error backend got code %q, want %q", code, test.code)
			}
		})
	}
}

// A browser must be able to ask for the password even if the error page is replaced.
func TestErrorPageKeepsAuthChallenge(t *testing.T) {
	r, _ := errorRig(t, map[string]string{"auth-type": "basic", "auth-secret": "users"}, 401,
		secret("users", map[string]string{"auth": users}))
	response, body := r.ask("/")
	if response.StatusCode != 401 || body != "error page" || response.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("status %d, body %q, header %v", response.StatusCode, body, response.Header)
	}
}

// Without endpoints, the error backend gets the client's request, and the reason.
func TestDefaultBackendReplacesServiceWithoutEndpoints(t *testing.T) {
	r, asked := errorRig(t, nil, 200, withoutPods)
	response, body := r.send(http.MethodDelete, "/x?a=b", "X-Code: 200")
	if response.StatusCode != 200 || body != "error page" {
		t.Errorf("status %d, body %q", response.StatusCode, body)
	}
	q := <-asked
	if q.Method != http.MethodDelete || q.RequestURI != "/x?a=b" || q.Header.Get("X-Code") != "503" ||
		q.Header.Get("X-Ingress-Name") != "web" {
		t.Errorf("the error backend got %s %s with %v", q.Method, q.RequestURI, q.Header)
	}
	if len(asked) > 0 {
		t.Error("the error backend got two requests")
	}
}
