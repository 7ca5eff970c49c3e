package proxy_test

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// A user who can create an Ingress must not inject header fields: no annotation value can end its
// field, on the way to the client or to the pod. Each annotation is tested together with those that
// it depends on.
func TestAnnotationsCannotInjectHeaders(t *testing.T) {
	r := newRig(t, proxy.Options{})
	reached := spy(r)
	base := map[string]string{"affinity": "cookie", "enable-cors": "true"}
	served := 0
	for _, entry := range annotations.List() {
		for _, value := range []string{
			"x\r\nX-Injected: 1", "/x\r\nX-Injected: 1", "https://a.test/\r\nX-Injected: 1", "a.test\nX-Injected: 1", "/x\rX-Injected: 1",
			"$arg_a", "/$arg_a", "https://a.test/$arg_a", "https://a.test/${arg_a}${http_x_a}${cookie_a}",
		} {
			all := maps.Clone(base)
			all[entry.Name] = value
			table, _ := routing.Build(snapshot(all, []string{"10.0.0.1:80"}), routing.Options{IngressClass: "lab"}, nil)
			r.server.Swap(table)
			reply := r.raw("GET /?a=b%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: shop.test\r\nOrigin: https://a.test\r\n" +
				"X-A: c%0d%0aX-Injected: 1\r\nCookie: a=b%0d%0aX-Injected:1\r\nConnection: close\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(reply)), nil)
			if err != nil {
				t.Fatalf("%s: %q: %v in %q", entry.Name, value, err, reply)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil || response.Header["X-Injected"] != nil || strings.Contains(string(body), "\nX-Injected: 1") {
				t.Errorf("%s: %q: the client gets\n%s", entry.Name, value, reply)
			}
			for len(reached) > 0 {
				if got := <-reached; got.header["X-Injected"] != nil {
					t.Errorf("%s: %q: the pod gets %v", entry.Name, value, got.header)
				}
				served++
			}
		}
	}
	if served < 100 {
		t.Errorf("only %d requests reached the pod: want more", served)
	}
}
