package probe_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// ask sends a request as the program in a pod does.
func ask(t *testing.T, r probe.Request, address string) probe.Observation {
	t.Helper()
	text, err := probe.Encode(r, address)
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if err := probe.Answers(t.Context(), []string{text}, &data); err != nil {
		t.Fatal(err)
	}
	o, err := probe.Decode(r, data.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestEncodedRequestIsSentElsewhere(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
		w.Header().Set(probe.HeaderServedBy, "lab-1/web-x")
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.Header.Get("X-One"), r.Header.Get("Cookie"))
	}))
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := probe.Request{Method: "PUT", URL: "https://shop.test/", Header: http.Header{"X-One": {"1"}}, Cookies: jar, Timeout: time.Minute}
	address := server.Listener.Addr().String()
	ask(t, r, address)
	o := ask(t, r, address)
	if o.Status != http.StatusTeapot || string(o.Body) != "PUT shop.test 1 seen=yes" || o.Served.Pod != "web-x" || o.Duration <= 0 {
		t.Errorf("%+v: %s", o, o.Body)
	}
	if o.TLS == nil || o.TLS.Fingerprint != probe.Fingerprint(server.Certificate().Raw) {
		t.Errorf("TLS %+v", o.TLS)
	}
}

func TestMissingResponseIsEncoded(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.Listener.Addr().String()
	server.Close()
	o := ask(t, probe.Request{URL: "http://shop.test/"}, address)
	if o.Err == nil || o.Err.Error() != "nothing listens at "+address+": connection refused" {
		t.Errorf("%v", o.Err)
	}
}

func TestInvalidRequestIsRejected(t *testing.T) {
	for text, want := range map[string]string{"": "not a request: ", "{}": "it has no url", "[]": "not a request: "} {
		if err := probe.Answers(t.Context(), []string{text}, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := probe.Decode(probe.Request{}, []byte("curl: no")); err == nil {
		t.Error("text is taken for an observation")
	}
}
