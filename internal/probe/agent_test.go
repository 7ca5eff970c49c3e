package probe_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/probe"
)

func TestAgentSendsRequests(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-App", r.URL.Path)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(site.Close)
	agent := httptest.NewServer(probe.Agent())
	t.Cleanup(agent.Close)
	post := func(requests ...string) (int, []byte) {
		t.Helper()
		answer, err := http.Post(agent.URL+probe.AgentPath+"?"+url.Values{probe.AgentRequest: requests}.Encode(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, body
	}
	var requests []string
	for _, path := range []string{"/first", "/second"} {
		text, err := probe.Encode(probe.Request{URL: "http://shop.test" + path}, strings.TrimPrefix(site.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, text)
	}
	status, body := post(requests...)
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	if status != http.StatusOK || len(lines) != 2 {
		t.Fatalf("%d: %s", status, body)
	}
	for i, want := range []string{"/first", "/second"} {
		o, err := probe.Decode(probe.Request{URL: "http://shop.test" + want}, lines[i])
		if err != nil || o.Status != http.StatusTeapot || o.Header.Get("X-App") != want {
			t.Errorf("%s: %+v, %v", want, o, err)
		}
	}
	if status, body := post("{", requests[0]); status != http.StatusBadRequest || !strings.Contains(string(body), "{: not a request") {
		t.Errorf("half a request: %d: %s", status, body)
	}
	if status, body := post(); status != http.StatusBadRequest || !strings.Contains(string(body), "request is missing") {
		t.Errorf("no request: %d: %s", status, body)
	}
	if answer, err := http.Get(agent.URL + probe.AgentPath); err != nil || answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v, %v", answer, err)
	}
	site.Close()
	if _, body := post(requests...); bytes.Count(body, []byte("\n")) != 1 || !bytes.Contains(body, []byte("nothing listens")) {
		t.Errorf("no response: %s, want one line", body)
	}
}
