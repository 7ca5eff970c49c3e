package proxy_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// tlsPod starts an HTTPS pod that responds with the SNI name and the client certificate's name.
func (r *rig) tlsPod(address string, certificate tls.Certificate) {
	pod := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, q.Proto+" "+q.TLS.ServerName)
		if len(q.TLS.PeerCertificates) > 0 {
			_, _ = io.WriteString(w, " from "+q.TLS.PeerCertificates[0].Subject.CommonName)
		}
	}))
	pod.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert}
	pod.Config.ErrorLog = log.New(io.Discard, "", 0) // the proxy aborts these handshakes, as intended
	pod.StartTLS()
	r.t.Cleanup(pod.Close)
	r.podAt(address, pod.Listener.Addr().String())
}

func TestEndpointTLS(t *testing.T) {
	ca, stranger := newCA(t, "pods"), newCA(t, "stranger")
	first := ca.sign(t, "first")
	deeper := first.sign(t, "second").issue(t, "web.shop.svc")
	verify := map[string]string{"proxy-ssl-verify": "on", "proxy-ssl-secret": "pods"}
	for _, test := range []struct {
		name        string
		certificate tls.Certificate
		annotations map[string]string
		status      int
		body        string
	}{
		{"unverified", stranger.issue(t, "other.test"), nil, 200, "HTTP/1.1 "},
		{"verified", ca.issue(t, "web.shop.svc"), verify, 200, "HTTP/1.1 "},
		{"another CA", stranger.issue(t, "web.shop.svc"), verify, 502, ""},
		{"another name", ca.issue(t, "other.test"), verify, 502, ""},
		{"too deep", deeper, verify, 502, ""},
		{"deep enough", deeper, with(verify, "proxy-ssl-verify-depth", "2"), 200, "HTTP/1.1 "},
		{"proxy-ssl-name", ca.issue(t, "other.test"), with(verify, "proxy-ssl-name", "other.test"), 200, "HTTP/1.1 "},
		{"proxy-ssl-name in SNI", ca.issue(t, "other.test"), with(verify, "proxy-ssl-name", "other.test", "proxy-ssl-server-name", "on"),
			200, "HTTP/1.1 other.test"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			r.tlsPod("10.0.0.1:80", test.certificate)
			problems := r.world(with(test.annotations, "backend-protocol", "HTTPS"), secret("pods", map[string]string{"ca.crt": string(ca.pem())}))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			response, body := r.get("/")
			if response.StatusCode != test.status || test.status == 200 && body != test.body {
				t.Errorf("status %d, body %q; want %d and %q", response.StatusCode, body, test.status, test.body)
			}
		})
	}
}

// with adds annotations to a copy; pairs are names and values.
func with(annotations map[string]string, pairs ...string) map[string]string {
	all := map[string]string{}
	for name, value := range annotations {
		all[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// Two protocols can be used for one pod, and a change of the protocol takes effect at once.
func TestBackendProtocolChangeTakesEffect(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.tlsPod("10.0.0.1:80", newCA(t, "pods").issue(t, "web.shop.svc"))
	for range 2 {
		r.route(map[string]string{"backend-protocol": "HTTPS"}, "10.0.0.1:80")
		if response, _ := r.get("/"); response.StatusCode != http.StatusOK {
			t.Errorf("over TLS: status %d", response.StatusCode)
		}
		r.route(nil, "10.0.0.1:80")
		if response, _ := r.get("/"); response.StatusCode != http.StatusBadRequest { // the pod sends this status
			t.Errorf("in the clear: status %d", response.StatusCode)
		}
	}
}
