package routing_test

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/routing"
)

func TestFindReferencesMatchesBuild(t *testing.T) {
	found := 0
	for _, g := range goldens(t) {
		table, _ := routing.Build(g.snapshot, g.options, nil)
		checkReferences(t, g.snapshot, g.options, table)
		found += len(table.References().Secrets)
	}
	if found == 0 {
		t.Error("no golden refers to a Secret")
	}
}

// checkReferences compares FindReferences with the look-ups of Build.
func checkReferences(t testing.TB, s routing.Snapshot, o routing.Options, table *routing.Table) {
	t.Helper()
	if got, want := routing.FindReferences(s, o), table.References(); !reflect.DeepEqual(got, want) {
		t.Errorf("FindReferences: got %+v, want %+v as in Build", got, want)
	}
}

// A new Ingress with a new Secret needs one Build, because the Secret is Loading before it.
func TestFindReferencesMakesNewSecretLoading(t *testing.T) {
	s := parseObjects(t, "objects", `
kind: Ingress
metadata:
  namespace: shop
  name: web
  annotations:
    nginx.ingress.kubernetes.io/auth-type: basic
    nginx.ingress.kubernetes.io/auth-secret: users
spec:
  tls: [{hosts: [a.test], secretName: web-tls}]
  rules: [{host: a.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
kind: Service
metadata: {namespace: shop, name: web}
spec: {ports: [{port: 80}], selector: {app: web}}
---
kind: EndpointSlice
metadata: {namespace: shop, name: web, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [10.0.0.1]}]
`)
	o := parseFlags(t, "flags", "")
	s.Loading = routing.FindReferences(s, o)
	want := routing.References{Secrets: []types.NamespacedName{{Namespace: "shop", Name: "users"}, {Namespace: "shop", Name: "web-tls"}}}
	if !reflect.DeepEqual(s.Loading, want) {
		t.Errorf("got %+v, want %+v", s.Loading, want)
	}
	if _, problems := routing.Build(s, o, nil); len(problems) > 0 {
		t.Errorf("Problems while the Secrets are loading: %v", problems)
	}
}
