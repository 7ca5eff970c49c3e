package probe_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// ingress starts a plain and a TLS server with one handler, and returns a client that sends all requests to them.
func ingress(t *testing.T, h http.HandlerFunc) *probe.Client {
	t.Helper()
	plain, secure := httptest.NewServer(h), httptest.NewUnstartedServer(h)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	return probe.NewClient(probe.Addresses{HTTP: plain.Listener.Addr().String(), HTTPS: secure.Listener.Addr().String()})
}

func TestRequestGoesToIngressForAnyHost(t *testing.T) {
	client := ingress(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Served-By", "lab-1/cheddar-1")
		w.Header().Set("X-App", "cheddar")
		w.Header().Set("X-Ingresslab-Reason", "because")
		body, _ := io.ReadAll(r.Body)
		name := "plain"
		if r.TLS != nil {
			name = r.TLS.ServerName
		}
		_, _ = io.WriteString(w, strings.Join([]string{r.Method, r.Host, r.RequestURI, r.Header.Get("Foo"), string(body), name}, " "))
	})
	for name, tc := range map[string]struct {
		r           probe.Request
		body, proto string
	}{
		"plain": {probe.Request{URL: "http://cheddar.test/x?y"}, "GET cheddar.test /x?y   plain", "HTTP/1.1"},
		"method, header and body": {
			probe.Request{Method: "POST", URL: "http://cheddar.test:8080/", Header: http.Header{"foo": {"bar"}}, Body: "hi"},
			"POST cheddar.test:8080 / bar hi plain", "HTTP/1.1",
		},
		"host header": {probe.Request{URL: "http://cheddar.test/", Header: http.Header{"host": {"other.test"}}},
			"GET other.test /   plain", "HTTP/1.1"},
		"tls": {probe.Request{URL: "https://cheddar.test/"}, "GET cheddar.test /   cheddar.test", "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			o := client.Do(t.Context(), tc.r)
			if o.Err != nil || string(o.Body) != tc.body || o.Proto != tc.proto {
				t.Errorf("%s %q (%v), want %s %q", o.Proto, o.Body, o.Err, tc.proto, tc.body)
			}
			if s := o.Served; s == nil || s.Namespace != "lab-1" || s.Pod != "cheddar-1" || s.App != "cheddar" || o.Reason != "because" {
				t.Errorf("served by %+v because %q", o.Served, o.Reason)
			}
		})
	}
}

func TestRequestSendsCookiesOfSession(t *testing.T) {
	client := ingress(t, func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("pod"); err == nil {
			_, _ = io.WriteString(w, c.Value)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "pod", Value: "one"})
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		url, body string
		jar       http.CookieJar
	}{{"http://shop.test/", "", jar}, {"http://shop.test/", "one", jar}, {"http://other.test/", "", jar}, {"http://shop.test/", "", nil}} {
		if o := client.Do(t.Context(), probe.Request{URL: tc.url, Cookies: tc.jar}); string(o.Body) != tc.body {
			t.Errorf("%s: cookie %q came back, want %q", tc.url, o.Body, tc.body)
		}
	}
}

func TestClientSendsCertificateOnRequest(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strconv.Itoa(len(r.TLS.PeerCertificates)))
	}))
	// The server lists other authorities than the client's.
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, ClientCAs: x509.NewCertPool()}
	server.StartTLS()
	t.Cleanup(server.Close)
	client := probe.NewClient(probe.Addresses{HTTPS: server.Listener.Addr().String()})
	own := server.TLS.Certificates[0]
	if o := client.Do(t.Context(), probe.Request{URL: "https://shop.test/", Certificate: &own}); string(o.Body) != "1" ||
		o.TLS.Fingerprint != probe.Fingerprint(own.Certificate[0]) {
		t.Errorf("with a certificate: %s, %q, %+v", o.What(), o.Body, o.TLS)
	}
	if o := client.Do(t.Context(), probe.Request{URL: "https://shop.test/"}); string(o.Body) != "0" {
		t.Errorf("without one: %s, %q", o.What(), o.Body)
	}
}

func TestRedirectsAreFollowedOnRequestOnly(t *testing.T) {
	client := ingress(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			http.Redirect(w, r, "https://"+r.Host+r.RequestURI, http.StatusPermanentRedirect)
		}
	})
	o := client.Do(t.Context(), probe.Request{URL: "http://shop.test/a"})
	if o.Status != 308 || o.Header.Get("Location") != "https://shop.test/a" {
		t.Errorf("not asked to follow: %s", o.What())
	}
	if o := client.Do(t.Context(), probe.Request{URL: "http://shop.test/a", Follow: true}); o.Status != 200 || o.TLS == nil {
		t.Errorf("asked to follow: %s", o.What())
	}
}

func TestEndlessRedirectsStop(t *testing.T) {
	client := ingress(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) })
	if o := client.Do(t.Context(), probe.Request{URL: "http://shop.test/", Follow: true}); o.Status != 302 || o.Err != nil {
		t.Errorf("endless redirects: %s", o.What())
	}
}

func TestBodyIsLimited(t *testing.T) {
	client := ingress(t, func(w http.ResponseWriter, r *http.Request) {
		size := probe.MaxBody
		if r.URL.Path == "/more" {
			size++
		}
		_, _ = w.Write(make([]byte, size))
	})
	for path, truncated := range map[string]bool{"/": false, "/more": true} {
		o := client.Do(t.Context(), probe.Request{URL: "http://big.test" + path})
		if len(o.Body) != probe.MaxBody || o.Truncated != truncated || o.Err != nil {
			t.Errorf("%s: kept %d bytes, truncated %v, %v", path, len(o.Body), o.Truncated, o.Err)
		}
	}
}

func TestMissingResponseIsExplained(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	o := probe.NewClient(probe.Addresses{HTTP: closed}).Do(t.Context(), probe.Request{URL: "http://a.test/"})
	if !errors.Is(o.Err, syscall.ECONNREFUSED) || o.What() != "nothing listens at "+closed+": connection refused" {
		t.Errorf("closed port: %s", o.What())
	}
	// Without addresses, as in a pod, the client connects to the host of the URL.
	o = probe.NewClient(probe.Addresses{}).Do(t.Context(), probe.Request{URL: "http://" + closed + "/cheese"})
	if want := "nothing listens at " + closed + ": connection refused"; o.What() != want {
		t.Errorf("closed port of a URL: %q, want %q", o.What(), want)
	}

	broken := ingress(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	if o := broken.Do(t.Context(), probe.Request{URL: "http://a.test/"}); o.Status != 200 || string(o.Body) != "half" ||
		o.Err == nil || !strings.Contains(o.Err.Error(), "before the end of the response") {
		t.Errorf("half an answer: %d %q %v", o.Status, o.Body, o.Err)
	}
	if o := broken.Do(t.Context(), probe.Request{URL: "http://a b/"}); o.Err == nil {
		t.Error("a URL that is none was observed without error")
	}
}

func TestTimeoutDiffersFromCancellation(t *testing.T) {
	release := make(chan struct{})
	client := ingress(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	o := client.Do(t.Context(), probe.Request{URL: "http://slow.test/", Timeout: 20 * time.Millisecond})
	if !errors.Is(o.Err, context.DeadlineExceeded) || !strings.Contains(o.Err.Error(), "no complete response from 127.0.0.1:") {
		t.Errorf("time-out: %v", o.Err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o := client.Do(ctx, probe.Request{URL: "http://slow.test/"}); !errors.Is(o.Err, context.Canceled) ||
		!strings.Contains(o.Err.Error(), "canceled") {
		t.Errorf("canceled: %v", o.Err)
	}
}

func TestWhatIsOneLine(t *testing.T) {
	for want, o := range map[string]probe.Observation{
		"404":                           {Status: 404},
		"200 from cheddar (pod c-1)":    {Status: 200, Served: &probe.Served{Pod: "c-1", App: "cheddar"}},
		"200 from cheddar":              {Status: 200, Served: &probe.Served{App: "cheddar"}},
		"503 from pod c-1":              {Status: 503, Served: &probe.Served{Pod: "c-1"}},
		"nothing listens: no such port": {Err: errors.New("nothing listens: no such port")},
	} {
		if got := o.What(); got != want {
			t.Errorf("What() = %q, want %q", got, want)
		}
	}
}
