package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// The two benchmarks send the same request over one kept-alive connection to the same pod: through
// the complete proxy, and through a bare httputil.ReverseProxy. Compare them only within one run.

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(make([]byte, 1024))
}

func benchmarkRequests(b *testing.B, address string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			request, _ := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
			request.Host = host
			response, err := transport.RoundTrip(request)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				b.Errorf("status %d", response.StatusCode)
				return
			}
		}
	})
}

func BenchmarkProxy(b *testing.B) {
	r := newRig(b, proxy.Options{})
	r.pod("10.0.0.1:80", page)
	r.route(nil, "10.0.0.1:80")
	benchmarkRequests(b, r.address)
}

func BenchmarkBareReverseProxy(b *testing.B) {
	backend := httptest.NewServer(http.HandlerFunc(page))
	defer backend.Close()
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host = "http", backend.Listener.Addr().String()
			pr.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 128},
	})
	defer front.Close()
	benchmarkRequests(b, front.Listener.Addr().String())
}
