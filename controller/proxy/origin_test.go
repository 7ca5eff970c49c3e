package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// The tests' client is 127.0.0.1.
func TestTrustInForwardedHeaders(t *testing.T) {
	claims := []string{"X-Forwarded-For: 6.6.6.6, 203.0.113.7", "X-Forwarded-For: 10.9.9.9:1234", "X-Forwarded-Proto: https",
		"X-Forwarded-Host: public.test", "X-Forwarded-Port: 8443", "X-Forwarded-Prefix: /shop",
		"X-Real-IP: 6.6.6.6", "Ssl-Client-Verify: SUCCESS"}
	for _, test := range []struct {
		name     string
		settings map[string]string
		want     map[string]string
	}{
		{"no proxy is trusted", nil, map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": host,
			"X-Forwarded-Prefix": "", "X-Original-Forwarded-For": "", "Ssl-Client-Verify": "",
		}},
		{"others are trusted", map[string]string{"use-forwarded-headers": "true", "proxy-real-ip-cidr": "10.0.0.0/8"}, map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Prefix": "", "X-Original-Forwarded-For": "",
		}},
		{"proxies are trusted", map[string]string{"use-forwarded-headers": "true", "proxy-real-ip-cidr": "127.0.0.0/8,10.0.0.0/8"},
			map[string]string{
				"X-Forwarded-For": "203.0.113.7", "X-Real-Ip": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Scheme": "https",
				"X-Forwarded-Host": "public.test", "X-Forwarded-Port": "8443", "X-Forwarded-Prefix": "/shop",
				"X-Original-Forwarded-For": "6.6.6.6, 203.0.113.7, 10.9.9.9:1234", "Ssl-Client-Verify": "",
			}},
		{"all are trusted", map[string]string{"use-forwarded-headers": "true"}, map[string]string{"X-Forwarded-For": "6.6.6.6"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			headers := make(chan http.Header, 1)
			r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) { headers <- q.Header })
			r.world(nil, configMap("lab", settings, test.settings))
			r.ask("/", claims...)
			got := <-headers
			for name, want := range test.want {
				if got.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, got.Get(name), want)
				}
			}
			if record := r.record(); record.Client != test.want["X-Forwarded-For"] {
				t.Errorf("recorded client %s", record.Client)
			}
		})
	}
}

// A trusted proxy that terminates TLS prevents an endless redirect to HTTPS.
func TestTrustedProxyPreventsRedirectLoop(t *testing.T) {
	r := worldRig(t, map[string]string{"force-ssl-redirect": "true"},
		configMap("lab", settings, map[string]string{"use-forwarded-headers": "true"}))
	response, body := r.ask("/", "X-Forwarded-Proto: https")
	wantStatus(t, response, body, http.StatusOK)
	response, body = r.ask("/", "X-Forwarded-Proto: http")
	wantStatus(t, response, body, http.StatusPermanentRedirect)
}

func TestRewrittenRequest(t *testing.T) {
	for target, want := range map[string]string{
		"/new": "/new?a=b", "/new?x=y": "/new?x=y&a=b", "/new?x=y?": "/new?x=y", "/new?": "/new",
	} {
		r := newRig(t, proxy.Options{})
		requests := make(chan *http.Request, 1)
		r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) { requests <- q })
		r.world(map[string]string{"rewrite-target": target, "upstream-vhost": "inner.test", "x-forwarded-prefix": "/shop"})
		r.get("/old?a=b")
		got := <-requests
		if got.RequestURI != want || got.Host != "inner.test" || got.Header.Get("X-Forwarded-Host") != host ||
			got.Header.Get("X-Forwarded-Prefix") != "/shop" {
			t.Errorf("rewrite-target %s: the endpoint gets %s for %s, %v", target, got.RequestURI, got.Host, got.Header)
		}
	}
}

// The zone of a link-local address is one of the controller's interfaces (RFC 4007, 11), not part
// of the client's identity.
func TestClientAddressIgnoresZone(t *testing.T) {
	r := worldRig(t, map[string]string{"denylist-source-range": "fe80::/10"})
	request := httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil)
	request.RemoteAddr = "[fe80::1%eth0]:1234"
	answer := httptest.NewRecorder()
	r.server.ServeHTTP(answer, request)
	wantStatus(t, answer.Result(), answer.Body.String(), http.StatusForbidden)
}
