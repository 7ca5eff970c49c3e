package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

func TestNextUpstream(t *testing.T) {
	const twice = "10.0.0.2:80"
	unavailable := func(r *rig) { r.pod("10.0.0.1:80", answer(http.StatusServiceUnavailable)) }
	refusing := func(*rig) {}
	breaking := func(r *rig) { r.podAt("10.0.0.1:80", breaks(r.t, new(atomic.Int64))) }
	garbled := func(r *rig) { r.podAt("10.0.0.1:80", garbles(r.t)) }
	for _, test := range []struct {
		name          string
		first         func(*rig)
		annotations   map[string]string
		method        string
		status, tries int
	}{
		{"unlisted status", unavailable, nil, "GET", 503, 1},
		{"listed status", unavailable, map[string]string{"proxy-next-upstream": "http_503"}, "GET", 200, 2},
		{"listed status, POST", unavailable, map[string]string{"proxy-next-upstream": "http_503"}, "POST", 503, 1},
		{"listed status, non_idempotent", unavailable, map[string]string{"proxy-next-upstream": "http_503 non_idempotent"}, "POST", 200, 2},
		{"another status", unavailable, map[string]string{"proxy-next-upstream": "http_502"}, "GET", 503, 1},
		{"one try", unavailable, map[string]string{"proxy-next-upstream": "http_503", "proxy-next-upstream-tries": "1"}, "GET", 503, 1},
		{"refused", refusing, nil, "POST", 200, 2},
		{"refused, off", refusing, map[string]string{"proxy-next-upstream": "off"}, "GET", 502, 1},
		{"refused, one try", refusing, map[string]string{"proxy-next-upstream-tries": "1"}, "GET", 502, 1},
		{"refused, timeouts only", refusing, map[string]string{"proxy-next-upstream": "timeout"}, "GET", 502, 1},
		{"broken, non-idempotent", breaking, map[string]string{"proxy-next-upstream": "error non_idempotent"}, "POST", 200, 2},
		{"broken, off", breaking, map[string]string{"proxy-next-upstream": "off"}, "GET", 502, 1},
		{"garbled", garbled, nil, "GET", 502, 1},
		{"garbled, listed", garbled, map[string]string{"proxy-next-upstream": "invalid_header"}, "GET", 200, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			test.first(r)
			r.pod(twice, say("fine"))
			r.route(test.annotations, "10.0.0.1:80", twice)
			response, _ := r.do(r.request(test.method, "/", nil))
			if record := r.record(); response.StatusCode != test.status || record.Tries != test.tries {
				t.Errorf("status %d after %d tries, want %d after %d", response.StatusCode, record.Tries, test.status, test.tries)
			}
			for _, e := range r.server.Endpoints() {
				if e.InFlight() != 0 {
					t.Errorf("%d requests still count as in flight at %s", e.InFlight(), e.Address())
				}
			}
		})
	}
}

// The last endpoint's response is more useful than an error of the proxy.
func TestLastEndpointStatusIsForwarded(t *testing.T) {
	r := newRig(t, proxy.Options{})
	for _, address := range []string{"10.0.0.1:80", "10.0.0.2:80"} {
		r.pod(address, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "my own words")
		})
	}
	r.route(map[string]string{"proxy-next-upstream": "http_502", "proxy-next-upstream-tries": "0"}, "10.0.0.1:80", "10.0.0.2:80")
	response, body := r.get("/")
	if record := r.record(); response.StatusCode != http.StatusBadGateway || body != "my own words" || record.Tries != 2 {
		t.Errorf("status %d, body %q after %d tries", response.StatusCode, body, record.Tries)
	}
}

// A body is streamed, not stored: once part of it was read, there is no second try.
func TestBodyIsSentOnce(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r.pod("10.0.0.2:80", say("fine"))
	r.route(map[string]string{"proxy-next-upstream": "http_503 non_idempotent"}, "10.0.0.1:80", "10.0.0.2:80")
	response, _ := r.do(r.request(http.MethodPut, "/", strings.NewReader("body")))
	if response.StatusCode != http.StatusServiceUnavailable || r.record().Tries != 1 {
		t.Errorf("status %d", response.StatusCode)
	}
}

func answer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
