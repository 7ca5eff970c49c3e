package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// copyOf is a request as a mirror receives it: the request line, the body, and the header.
type copyOf struct {
	line   string
	header http.Header
}

// mirrorRig is a worldRig with mirror-target.
func mirrorRig(t *testing.T, annotations map[string]string) (*rig, <-chan copyOf) {
	t.Helper()
	all := map[string]string{"mirror-target": "http://mirror.test$request_uri"}
	for name, value := range annotations {
		all[name] = value
	}
	r := worldRig(t, all, secret("users", map[string]string{"auth": users}))
	got := make(chan copyOf, 100)
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		_, _ = io.WriteString(w, "secret page")
	})
	r.pod("mirror.test:80", func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		got <- copyOf{fmt.Sprintf("%s %s%s %s", q.Method, q.Host, q.RequestURI, body), q.Header}
		http.Error(w, "unused response", http.StatusTeapot)
	})
	return r, got
}

func TestMirror(t *testing.T) {
	tests := map[string]struct {
		annotations  map[string]string
		method, body string
		want         string
	}{
		"without a body":     {nil, "GET", "", "GET mirror.test/x?a=b "},
		"with a body":        {nil, "POST", "a body", "POST mirror.test/x?a=b a body"},
		"another host":       {map[string]string{"mirror-host": "copy.test"}, "PUT", "a", "PUT copy.test/x?a=b a"},
		"without the body":   {map[string]string{"mirror-request-body": "off"}, "POST", "a body", "POST mirror.test/x?a=b "},
		"path in the target": {map[string]string{"mirror-target": "http://mirror.test/copies"}, "GET", "", "GET mirror.test/copies "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, got := mirrorRig(t, test.annotations)
			request := r.request(test.method, "/x?a=b", strings.NewReader(test.body))
			request.Header.Set("X-Real-Ip", "192.0.2.9")
			response, body := r.do(request)
			wantStatus(t, response, body, http.StatusOK)
			seen := <-got
			if seen.line != test.want {
				t.Errorf("mirror got %q, want %q", seen.line, test.want)
			}
			if ip := seen.header.Get("X-Real-Ip"); ip != "127.0.0.1" {
				t.Errorf("x-real-ip %q, want the proxy's", ip)
			}
		})
	}
}

func TestMirrorNeverDelaysRequest(t *testing.T) {
	r, _ := mirrorRig(t, nil)
	r.blackHole("mirror.test:80")
	for range 70 { // more than the limit of copies in flight
		response, body := r.ask("/")
		wantStatus(t, response, body, http.StatusOK)
	}
	if _, dropped := r.server.Mirrored(); dropped == 0 {
		t.Error("no copy was dropped although the mirror doesn't respond")
	}
}

func TestLargeBodyIsNotMirrored(t *testing.T) {
	r, got := mirrorRig(t, map[string]string{"proxy-body-size": "8m"})
	for _, size := range []int{1 << 20, 1<<20 + 1} {
		response, body := r.do(r.request(http.MethodPost, "/", bytes.NewReader(make([]byte, size))))
		wantStatus(t, response, body, http.StatusOK)
	}
	if seen := <-got; len(seen.line) < 1<<20 {
		t.Errorf("the mirror got %d bytes, want the body of maximum size", len(seen.line))
	}
	if sent, dropped := r.server.Mirrored(); sent != 1 || dropped != 1 {
		t.Errorf("%d copies sent and %d dropped, want one of each", sent, dropped)
	}
}

// HTTP/2 can announce a body of 0 bytes and end it in a separate frame. The engine drops such a
// body without Read and Close. Waiting for either would hold the mirror's slot forever.
func TestEmptyHTTP2BodyIsMirrored(t *testing.T) {
	r, got := mirrorRig(t, nil)
	for i := range 70 { // more than the limit of copies in flight
		request := httptest.NewRequest(http.MethodPost, "http://shop.test/", io.NopCloser(strings.NewReader("")))
		request.ContentLength = 0
		answer := httptest.NewRecorder()
		r.server.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK {
			t.Fatalf("request %d: %d %s", i, answer.Code, answer.Body)
		}
		select {
		case seen := <-got:
			if seen.line != "POST mirror.test/ " {
				t.Errorf("mirror got %q", seen.line)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("request %d was not mirrored", i)
		}
	}
	if _, dropped := r.server.Mirrored(); dropped > 0 {
		t.Errorf("%d copies were dropped", dropped)
	}
}

func TestRefusedRequestIsNotMirrored(t *testing.T) {
	r, got := mirrorRig(t, map[string]string{"auth-type": "basic", "auth-secret": "users"})
	response, body := r.ask("/")
	wantStatus(t, response, body, http.StatusUnauthorized)
	response, body = r.ask("/after", basic("bob", "builder"))
	wantStatus(t, response, body, http.StatusOK)
	if seen := <-got; seen.line != "GET mirror.test/after " {
		t.Errorf("mirror got %q", seen.line)
	}
	if sent, _ := r.server.Mirrored(); sent != 1 {
		t.Errorf("%d copies, want one", sent)
	}
}
