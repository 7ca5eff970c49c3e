package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// external is a table that routes the host to a name outside the cluster.
func external(t *testing.T, name string) *routing.Table {
	t.Helper()
	s := snapshot(nil, nil)
	s.Services[0].Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: name}
	table, problems := routing.Build(s, routing.Options{IngressClass: "lab", AllowExternalName: true}, nil)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return table
}

func TestExternalNameIsDialedByName(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("old.example:80", say("outside"))
	r.server.Swap(external(t, "old.example"))
	if response, body := r.get("/"); response.StatusCode != http.StatusOK || body != "outside" {
		t.Errorf("status %d, body %q", response.StatusCode, body)
	}
	if record := r.record(); record.Endpoint != "old.example:80" {
		t.Errorf("endpoint %q", record.Endpoint)
	}
}

// Names that resolve to the controller's own host must not expose its local ports, such as the
// metrics.
func TestExternalNameCannotReachControllerHost(t *testing.T) {
	own := httptest.NewServer(say("metrics"))
	defer own.Close()
	port := own.Listener.Addr().String()[strings.LastIndexByte(own.Listener.Addr().String(), ':')+1:]
	server := proxy.New(proxy.Options{})
	defer server.CloseIdle()
	s := snapshot(nil, nil)
	s.Services[0].Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}
	backend := s.Ingresses[0].Spec.Rules[0].HTTP.Paths[0].Backend.Service
	backend.Port.Number = portNumber(t, port)
	table, _ := routing.Build(s, routing.Options{IngressClass: "lab", AllowExternalName: true}, nil)
	server.Swap(table)
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Host = host
	server.ServeHTTP(recorder, request)
	body, _ := io.ReadAll(recorder.Body)
	if recorder.Code != http.StatusBadGateway {
		t.Errorf("status %d, body %q; want 502", recorder.Code, body)
	}
}

func portNumber(t *testing.T, text string) int32 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}
