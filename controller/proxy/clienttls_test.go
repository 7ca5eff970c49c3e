package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// secureGet sends a request over a new TLS connection. name is the SNI name; a nil certificate
// sends none.
func (r *rig) secureGet(address, name, authority string, certificate *tls.Certificate, headers ...string) (*http.Response, string) {
	r.t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, ServerName: name}
	if certificate != nil {
		// Sent even if the server's CA list doesn't contain its issuer.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	transport := &http.Transport{TLSClientConfig: config, Protocols: &protocols, DisableKeepAlives: true}
	request := r.request(http.MethodGet, "/", nil)
	request.URL = &url.URL{Scheme: "https", Host: address, Path: "/"}
	request.Host = authority
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response, string(body)
}

// clients is the Ingress's Secret with the CA of its clients.
func clients(ca *authority) object {
	return secret("clients", map[string]string{"ca.crt": string(ca.pem())})
}

// expired makes an expired certificate.
func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

func serverOnly(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }

func TestClientCertificates(t *testing.T) {
	ca, stranger := newCA(t, "clients"), newCA(t, "stranger")
	first := ca.sign(t, "first")
	second := first.sign(t, "second")
	good, late, foreign := ca.issue(t, "alice"), ca.issue(t, "alice", expired), stranger.issue(t, "alice")
	server, deep, deeper := ca.issue(t, "alice", serverOnly), first.issue(t, "alice"), second.issue(t, "alice")
	for _, test := range []struct {
		name        string
		annotations map[string]string
		certificate *tls.Certificate
		status      int
		verify      string // the header field that the endpoint receives
	}{
		{"good", nil, &good, 200, "SUCCESS"},
		{"none", nil, nil, 400, ""},
		{"another CA", nil, &foreign, 400, ""},
		{"expired", nil, &late, 400, ""},
		{"for servers", nil, &server, 400, ""},
		{"one intermediate CA", nil, &deep, 200, "SUCCESS"},
		{"two intermediate CAs", nil, &deeper, 400, ""},
		{"two intermediate CAs, allowed", map[string]string{"auth-tls-verify-depth": "2"}, &deeper, 200, "SUCCESS"},
		{"optional, none", map[string]string{"auth-tls-verify-client": "optional"}, nil, 200, "NONE"},
		{"optional, bad", map[string]string{"auth-tls-verify-client": "optional"}, &foreign, 400, ""},
		{"optional without CA, foreign", map[string]string{"auth-tls-verify-client": "optional_no_ca"}, &foreign, 200, "FAILED:"},
		{"optional without CA, expired", map[string]string{"auth-tls-verify-client": "optional_no_ca"}, &late, 400, ""},
		{"off", map[string]string{"auth-tls-verify-client": "off"}, nil, 200, ""},
		{"right name", map[string]string{"auth-tls-match-cn": "CN=al.*"}, &good, 200, "SUCCESS"},
		{"wrong name", map[string]string{"auth-tls-match-cn": "CN=bob"}, &good, 403, ""},
		{"error page", map[string]string{"auth-tls-error-page": "https://help.test/"}, nil, 302, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			verify := make(chan string, 1)
			r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) { verify <- q.Header.Get("Ssl-Client-Verify") })
			annotations := map[string]string{"auth-tls-secret": "shop/clients"}
			for name, value := range test.annotations {
				annotations[name] = value
			}
			if problems := r.world(annotations, clients(ca)); len(problems) > 0 {
				t.Fatal(problems)
			}
			response, body := r.secureGet(r.listenTLS(), host, host, test.certificate, "Ssl-Client-Verify: SUCCESS", "ssl-client-cert: forged")
			if response.StatusCode != test.status {
				t.Fatalf("status %d, want %d; %s", response.StatusCode, test.status, body)
			}
			if test.status != http.StatusOK {
				return
			}
			if got := <-verify; got != test.verify && (test.verify != "FAILED:" || !strings.HasPrefix(got, test.verify)) {
				t.Errorf("the endpoint got %q, want %q", got, test.verify)
			}
		})
	}
}

func TestEndpointReceivesClientCertificate(t *testing.T) {
	ca := newCA(t, "clients")
	certificate := ca.issue(t, "alice", func(c *x509.Certificate) { c.Subject.CommonName = "al\nice\u00fc" })
	r := newRig(t, proxy.Options{})
	headers := make(chan http.Header, 1)
	r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) { headers <- q.Header })
	r.world(map[string]string{"auth-tls-secret": "clients", "auth-tls-pass-certificate-to-upstream": "true"}, clients(ca))
	if response, body := r.secureGet(r.listenTLS(), host, host, &certificate); response.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", response.StatusCode, body)
	}
	got := <-headers
	for name, want := range map[string]string{
		"Ssl-Client-Subject-Dn": `CN=al\0Aice\C3\BC,O=Shop`, "Ssl-Client-Issuer-Dn": "CN=clients", "Ssl-Client-Verify": "SUCCESS",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	escaped := got.Get("Ssl-Client-Cert")
	plain, err := url.PathUnescape(escaped)
	if err != nil || !strings.HasPrefix(plain, "-----BEGIN CERTIFICATE-----\n") || strings.ContainsAny(escaped, "+ /=") {
		t.Errorf("ssl-client-cert: %q", escaped)
	}
}

// A connection to another host was opened without a client certificate, or with one of another CA.
func TestConnectionOfOtherHostIsMisdirected(t *testing.T) {
	ca := newCA(t, "clients")
	certificate := ca.issue(t, "alice")
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", say("secret page"))
	r.world(map[string]string{"auth-tls-secret": "clients"}, clients(ca), anotherHost)
	address := r.listenTLS()
	for _, test := range []struct {
		name, authority string
		status          int
	}{
		{host, host, 200}, {host, host + ":443", 200}, {"open.test", "open.test", 200},
		{"open.test", host, 421}, {"", host, 421}, {host, "open.test", 200},
	} {
		response, body := r.secureGet(address, test.name, test.authority, &certificate)
		if response.StatusCode != test.status {
			t.Errorf("name %q, host %q: status %d, want %d; %s", test.name, test.authority, response.StatusCode, test.status, body)
		}
	}
}

// anotherHost is open.test, whose Ingress requires no client certificate.
func anotherHost(s *routing.Snapshot) {
	open := s.Ingresses[0].DeepCopy()
	open.Name, open.Spec.Rules[0].Host = "open", "open.test"
	delete(open.Annotations, "nginx.ingress.kubernetes.io/auth-tls-secret")
	s.Ingresses = append(s.Ingresses, open)
}

func TestPlainHTTPHasNoClientCertificate(t *testing.T) {
	ca := newCA(t, "clients")
	r := worldRig(t, map[string]string{"auth-tls-secret": "clients"}, clients(ca))
	response, body := r.ask("/", "Ssl-Client-Verify: SUCCESS")
	wantStatus(t, response, body, http.StatusForbidden)
	r.world(map[string]string{"auth-tls-secret": "clients", "force-ssl-redirect": "true"}, clients(ca))
	if response, _ := r.ask("/"); response.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("status %d, want a redirect to HTTPS", response.StatusCode)
	}
}
