package routing_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/controller/routing"
)

const twoServicesOfOnePod = `
kind: Ingress
metadata: {namespace: shop, name: web, annotations: {nginx.ingress.kubernetes.io/affinity: cookie}}
spec:
  rules:
  - host: shop.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /two, pathType: Prefix, backend: {service: {name: two, port: {number: 80}}}}
---
kind: Ingress
metadata: {namespace: shop, name: plain}
spec:
  rules:
  - host: plain.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: plain, port: {number: 80}}}}]}
---
kind: Service
metadata: {namespace: shop, name: web}
spec: {ports: [{port: 80}]}
---
kind: Service
metadata: {namespace: shop, name: two}
spec: {ports: [{port: 80}]}
---
kind: Service
metadata: {namespace: shop, name: plain}
spec: {ports: [{port: 80}]}
---
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints:
- {addresses: [10.0.0.1], targetRef: {kind: Pod, name: a}}
- {addresses: [10.0.0.2], targetRef: {kind: Pod, name: b}}
---
kind: EndpointSlice
metadata: {namespace: shop, name: two-1, labels: {kubernetes.io/service-name: two}}
addressType: IPv4
ports: [{port: 8080}]
endpoints:
- {addresses: [10.0.0.1], targetRef: {kind: Pod, name: a}}
---
kind: EndpointSlice
metadata: {namespace: shop, name: plain-1, labels: {kubernetes.io/service-name: plain}}
addressType: IPv4
ports: [{port: 8080}]
endpoints:
- {addresses: [10.0.0.1], targetRef: {kind: Pod, name: a}}
`

// idsOf returns the ID of every endpoint by pool, address, and pod.
func idsOf(s routing.Snapshot) map[string]string {
	table, _ := routing.Build(s, routing.Options{WatchIngressWithoutClass: true}, nil)
	ids := map[string]string{}
	for _, pool := range table.Pools() {
		for _, e := range pool.Endpoints {
			ids[pool.Key()+" "+e.Address.String()+" "+e.Pod.Name] = e.ID
		}
	}
	return ids
}

// A cookie is valid for all tables and replicas of the controller, so an ID depends only on the
// endpoint.
func TestEndpointIDStaysTheSame(t *testing.T) {
	before := idsOf(parseObjects(t, "before", twoServicesOfOnePod))
	s := parseObjects(t, "after", twoServicesOfOnePod)
	s.EndpointSlices[0].Endpoints = s.EndpointSlices[0].Endpoints[1:]
	after := idsOf(s)
	const b = "shop/web:80 10.0.0.2:8080 b"
	if before[b] == "" || before[b] != after[b] {
		t.Errorf("the ID of pod b is %q, and %q without pod a", before[b], after[b])
	}
}

// Another pod soon gets the address of a deleted pod. It must not get its sessions.
func TestEndpointIDDependsOnPod(t *testing.T) {
	ids := idsOf(parseObjects(t, "before", twoServicesOfOnePod))
	s := parseObjects(t, "after", twoServicesOfOnePod)
	s.EndpointSlices[0].Endpoints[0].TargetRef.Name = "c"
	for key, id := range idsOf(s) {
		if key == "shop/web:80 10.0.0.1:8080 c" && id == ids["shop/web:80 10.0.0.1:8080 a"] {
			t.Errorf("pods a and c have the same ID %q", id)
		}
		ids[key] = id
	}
	seen := map[string]string{}
	for key, id := range ids {
		if key == "shop/plain:80 10.0.0.1:8080 a" {
			if id != "" {
				t.Errorf("%s has an ID, but no route to it has affinity", key)
			}
			continue
		}
		if seen[id] != "" || len(id) != 32 {
			t.Errorf("%s and %s have the same ID %q", key, seen[id], id)
		}
		seen[id] = key
	}
}
