package routing_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/ingresslab/ingresslab/controller/routing"
)

func TestVariables(t *testing.T) {
	table, _ := routing.Build(parseObjects(t, "inline", `
kind: Ingress
metadata: {namespace: shop, name: web, annotations: {nginx.ingress.kubernetes.io/use-regex: "true"}}
spec:
  rules:
  - host: "*.shop.test"
    http: {paths: [{path: "/(x)?(.*)/(y)", pathType: ImplementationSpecific, backend: {service: {name: web, port: {name: http}}}}]}
---
kind: Service
metadata: {namespace: shop, name: web}
spec: {ports: [{port: 80, name: http}]}
`), routing.Options{WatchIngressWithoutClass: true}, nil)
	r := routing.Request{
		Method: "PUT", Protocol: "HTTP/2.0", Host: "A.shop.test:8443", Path: "/caf%C3%A9/y", Query: "q=1&Page=2&page=3",
		Client: netip.MustParseAddr("2001:db8::1"), TLS: true, Port: 8443, ID: "4711",
		Header: http.Header{"X-Up": {"1", "2"}, "Cookie": {`a=b; c="d"`}, "Authorization": {"basic YW5uOnBhc3M6d29yZA=="}},
	}
	value := routing.Variables(r, table.Decide(r))
	for name, want := range map[string]string{
		"host": "a.shop.test", "http_host": "A.shop.test:8443", "best_http_host": "A.shop.test:8443", "server_name": "*.shop.test",
		"scheme": "https", "pass_access_scheme": "https", "request_method": "PUT", "server_protocol": "HTTP/2.0",
		"request_uri": "/caf%C3%A9/y?q=1&Page=2&page=3", "escaped_request_uri": "%2Fcaf%25C3%25A9%2Fy%3Fq%3D1%26Page%3D2%26page%3D3",
		"uri": "/café/y", "document_uri": "/café/y", "args": "q=1&Page=2&page=3", "query_string": "q=1&Page=2&page=3", "is_args": "?",
		"remote_addr": "2001:db8::1", "the_real_ip": "2001:db8::1", "remote_user": "ann", "request_id": "4711", "req_id": "4711",
		"server_port": "8443", "pass_server_port": "8443",
		"namespace": "shop", "ingress_name": "web", "service_name": "web", "service_port": "http",
		"http_x_up": "1, 2", "http_x_none": "", "cookie_c": "d", "cookie_none": "", "arg_page": "2", "arg_none": "",
		"1": "", "2": "café", "3": "y", "4": "", "hostname": "", "no_such": "",
	} {
		if got := value(name); got != want {
			t.Errorf("$%s is %q, want %q", name, got, want)
		}
	}
}

func TestVariablesWithoutRoute(t *testing.T) {
	value := routing.Variables(routing.Request{Header: http.Header{"Authorization": {"Basic !"}}}, routing.Decision{})
	for name, want := range map[string]string{
		"1": "", "service_name": "", "remote_addr": "", "remote_user": "", "server_port": "80", "request_uri": "/", "scheme": "http", "": "",
	} {
		if got := value(name); got != want {
			t.Errorf("$%s is %q, want %q", name, got, want)
		}
	}
}
