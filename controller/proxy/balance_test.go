package proxy_test

import (
	"net/http"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// A busy endpoint is a bad choice while another one is idle; only round robin ignores the load.
func TestLoadBalanceUsesRequestsInFlight(t *testing.T) {
	for _, algorithm := range []string{"least_conn", "ewma"} {
		t.Run(algorithm, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			busy, release := make(chan string, 10), make(chan struct{})
			pod := func(name string) http.HandlerFunc {
				return func(w http.ResponseWriter, q *http.Request) {
					if q.URL.Path == "/work" {
						busy <- name
						<-release
					}
					_, _ = w.Write([]byte(name))
				}
			}
			r.pod("10.0.0.1:80", pod("one"))
			r.pod("10.0.0.2:80", pod("two"))
			r.route(map[string]string{"load-balance": algorithm}, "10.0.0.1:80", "10.0.0.2:80")
			done := make(chan struct{})
			go func() {
				defer close(done)
				r.get("/work")
			}()
			worker := <-busy
			for range 10 {
				if _, name := r.get("/"); name == worker {
					t.Errorf("a request went to the busy pod %s", name)
				}
			}
			close(release)
			<-done
			for _, e := range r.server.Endpoints() {
				if e.Latency() == 0 {
					t.Errorf("the latency of %s was not measured", e.Pod())
				}
			}
		})
	}
}
