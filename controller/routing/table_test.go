package routing_test

import (
	"net/http"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// A controller uses a nil table before its first Build.
func TestNilTable(t *testing.T) {
	for name, table := range map[string]*routing.Table{"nil": nil, "zero": {}} {
		d, candidates := table.Explain(routing.Request{Host: "shop.test", Path: "/"})
		if d.Action != routing.Refuse || d.Status != http.StatusNotFound || len(candidates) != 0 {
			t.Errorf("%s table: %+v with %d candidates", name, d, len(candidates))
		}
		if d := table.Decide(routing.Request{}); d.Status != http.StatusNotFound {
			t.Errorf("%s table: empty request gets %d", name, d.Status)
		}
		if len(table.Hosts())+len(table.Routes())+len(table.Pools())+len(table.Ingresses()) != 0 ||
			table.CatchAll() != nil || table.Claims(types.NamespacedName{Name: "x"}) {
			t.Errorf("%s table is not empty", name)
		}
	}
}

func TestTableLists(t *testing.T) {
	table, _ := routing.Build(parseObjects(t, "inline", `
kind: Ingress
metadata: {namespace: shop, name: web, creationTimestamp: "2025-01-01T00:00:00Z"}
spec:
  rules:
  - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
  - host: "*.shop.test"
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}]}
  - host: b.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
  - host: a.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 81}}}}]}
---
kind: Ingress
metadata: {namespace: shop, name: broken, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {}
---
kind: Ingress
metadata: {namespace: shop, name: theirs}
spec: {ingressClassName: other}
`), routing.Options{WatchIngressWithoutClass: true}, nil)

	if got, want := table.Hosts(), []string{"a.test", "b.test", "*.shop.test", ""}; !slices.Equal(got, want) {
		t.Errorf("hosts are %q, want %q", got, want)
	}
	var pools []string
	for _, p := range table.Pools() {
		pools = append(pools, p.Key())
	}
	if want := []string{"shop/api:80", "shop/api:81", "shop/web:80"}; !slices.Equal(pools, want) {
		t.Errorf("pools are %q, want %q", pools, want)
	}
	if got := len(table.Routes()); got != 4 {
		t.Errorf("got %d routes, want 4", got)
	}
	web, broken, theirs := types.NamespacedName{Namespace: "shop", Name: "web"},
		types.NamespacedName{Namespace: "shop", Name: "broken"}, types.NamespacedName{Namespace: "shop", Name: "theirs"}
	if got, want := table.Ingresses(), []types.NamespacedName{broken, web}; !slices.Equal(got, want) {
		t.Errorf("ingresses are %v, want %v", got, want)
	}
	if !table.Claims(web) || !table.Claims(broken) || table.Claims(theirs) {
		t.Error("Claims and Ingresses disagree")
	}
}
