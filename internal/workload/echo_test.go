package workload_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/workload"
)

func echoed(t *testing.T, r *http.Request) workload.Echo {
	t.Helper()
	w := httptest.NewRecorder()
	newBackend(t).ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("echo: %d %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	var e workload.Echo
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("echo: %v in %s", err, w.Body)
	}
	return e
}

func TestEchoReturnsReceivedRequest(t *testing.T) {
	r := httptest.NewRequest("PUT", "/shop/echo/..//a%2Fb?x=%20&x=2", strings.NewReader("hello <world>"))
	r.Host = "shop.test:8080"
	r.RemoteAddr = "10.0.0.9:1234"
	r.Header = http.Header{"X-Many": {"one", "two"}}
	got := echoed(t, r)
	want := workload.Echo{
		Pod: "pod-1", Namespace: "lab-1", Node: "worker", App: "backend-1",
		Method: "PUT", Path: "/shop/echo/..//a%2Fb", Query: "x=%20&x=2", Host: "shop.test:8080",
		Headers:  map[string][]string{"X-Many": {"one", "two"}},
		Protocol: "HTTP/1.1", Body: "hello <world>", BodyBytes: 13, RemoteAddr: "10.0.0.9:1234",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("echo:\n got %+v\nwant %+v", got, want)
	}
}

func TestEchoOverTLSAndHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(newBackend(t))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
	resp, err := client.Get(server.URL + "/echo")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var e workload.Echo
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		t.Fatal(err)
	}
	if e.Protocol != "HTTP/2.0" {
		t.Errorf("protocol %q, want HTTP/2.0", e.Protocol)
	}
	if e.TLS == nil || e.TLS.Version != "TLS 1.3" || e.TLS.SNI != "example.com" || e.TLS.Cipher == "" {
		t.Errorf("tls %+v, want TLS 1.3 with a cipher, for example.com", e.TLS)
	}
}

func TestEchoLimitsBody(t *testing.T) {
	const limit = 64 << 10
	tests := map[string]struct {
		body     []byte
		encoding string
		length   int // of Echo.Body
	}{
		"text is cut":                          {bytes.Repeat([]byte("x"), 3*limit), "", limit},
		"a character is not cut in two":        {bytes.Repeat([]byte("€"), limit), "", limit - limit%3},
		"what is not text comes in base64":     {[]byte{0xff, 0xfe, 0}, "base64", 4},
		"binary is cut at the limit, not less": {bytes.Repeat([]byte{0xff}, 2*limit), "base64", (limit + 2) / 3 * 4},
		"nothing":                              {nil, "", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := echoed(t, httptest.NewRequest("POST", "/echo", bytes.NewReader(tt.body)))
			if e.BodyBytes != int64(len(tt.body)) {
				t.Errorf("body_bytes %d, want %d", e.BodyBytes, len(tt.body))
			}
			if e.BodyEncoding != tt.encoding || len(e.Body) != tt.length {
				t.Errorf("%d characters in %q, want %d in %q", len(e.Body), e.BodyEncoding, tt.length, tt.encoding)
			}
		})
	}
}

func TestEchoRejectsIncompleteBody(t *testing.T) {
	r := httptest.NewRequest("POST", "/echo", io.MultiReader(strings.NewReader("half"), broken{}))
	w := httptest.NewRecorder()
	newBackend(t).ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "unexpected EOF") {
		t.Errorf("echo: %d %s, want 400 that says why", w.Code, w.Body)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
