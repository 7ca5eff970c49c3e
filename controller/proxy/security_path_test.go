package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// guarded has two rules for the host: Prefix /admin routes to the pod 10.0.0.2, all other paths to
// 10.0.0.1.
func guarded() routing.Snapshot {
	s := snapshot(nil, []string{"10.0.0.1:80"})
	rule := s.Ingresses[0].Spec.Rules[0].HTTP
	admin := *rule.Paths[0].DeepCopy()
	admin.Path, admin.Backend.Service.Name = "/admin", "admin"
	rule.Paths = append(rule.Paths, admin)
	s.Services = append(s.Services, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "admin"},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.2", Ports: []corev1.ServicePort{{Port: 80}}},
	})
	endpoint := slice(1, "10.0.0.2:80")
	endpoint.Labels = map[string]string{discoveryv1.LabelServiceName: "admin"}
	s.EndpointSlices = append(s.EndpointSlices, endpoint)
	return s
}

// isAdmin returns the ways in which a backend could interpret the path as below /admin. It decodes
// as Go's server does, and can then drop matrix parameters, treat backslashes as slashes, merge
// slashes, and resolve dots.
func isAdmin(q *http.Request) (under []bool) {
	dropParameters := func(p string) string {
		elements := strings.Split(p, "/")
		for i := range elements {
			elements[i], _, _ = strings.Cut(elements[i], ";")
		}
		return strings.Join(elements, "/")
	}
	backslashes := func(p string) string { return strings.ReplaceAll(p, `\`, "/") }
	for _, reading := range []string{
		q.URL.Path,
		path.Clean(q.URL.Path),
		path.Clean(backslashes(q.URL.Path)),
		path.Clean(dropParameters(q.URL.Path)),
		path.Clean(dropParameters(backslashes(q.URL.Path))),
	} {
		nul, _, _ := strings.Cut(reading, "\x00") // as a C string
		for _, p := range []string{reading, nul} {
			under = append(under, p == "/admin" || strings.HasPrefix(p, "/admin/"))
		}
	}
	return under
}

// The rules must select the pod by the same path that the pod interprets. Otherwise a request could
// bypass the protection of one rule through another. The test sends all paths of a slash and up to
// three pieces over a socket.
func TestPathInterpretationsStayWithTheirRule(t *testing.T) {
	r := newRig(t, proxy.Options{})
	for address, admin := range map[string]bool{"10.0.0.1:80": false, "10.0.0.2:80": true} {
		r.pod(address, func(w http.ResponseWriter, q *http.Request) {
			for i, under := range isAdmin(q) {
				if under != admin {
					w.WriteHeader(http.StatusTeapot)
					_, _ = fmt.Fprintf(w, "reading %d of %s: admin is %t", i, q.RequestURI, under)
					return
				}
			}
		})
	}
	table, problems := routing.Build(guarded(), routing.Options{IngressClass: "lab"}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r.server.Swap(table)
	statuses := map[int]int{}
	client := &pipe{t: t, address: r.address}
	for _, target := range paths([]string{"/", "%2f", "%2F", `\`, "%5c", ".", "..", "%2e", "%2E%2e", ";", "%3b", "%00", "admin",
		"%61dmin", "x", "%25", "%252f"}) {
		status, body := client.get(target)
		statuses[status]++
		if status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", target, status, body)
		}
	}
	if statuses[http.StatusOK] < 100 || statuses[http.StatusBadRequest] < 100 {
		t.Errorf("answers %v: want many of both", statuses)
	}
}

// paths returns all paths of a slash and up to three of the pieces.
func paths(pieces []string) []string {
	all := []string{"/"}
	for from, round := 0, 0; round < 3; round++ {
		to := len(all)
		for _, start := range all[from:to] {
			for _, piece := range pieces {
				all = append(all, start+piece)
			}
		}
		from = to
	}
	return all
}

// pipe requests one path after the other on a connection, byte for byte, and dials again when it is
// closed.
type pipe struct {
	t       *testing.T
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

func (p *pipe) get(target string) (int, string) {
	p.t.Helper()
	if p.conn == nil {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		p.conn, p.reader = conn, bufio.NewReader(conn)
	}
	if _, err := io.WriteString(p.conn, "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
		p.t.Fatal(err)
	}
	response, err := http.ReadResponse(p.reader, nil)
	if err != nil {
		p.t.Fatalf("%s: %v", target, err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatalf("%s: %v", target, err)
	}
	if response.Close {
		_ = p.conn.Close()
		p.conn = nil
	}
	return response.StatusCode, string(body)
}
