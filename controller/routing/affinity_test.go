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

// idsOf gives the ID of every endpoint by pool, address and pod.
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

// A cookie outlives tables and replicas of the controller, so nothing but the endpoint itself may be in its name.
func TestEndpointsKeepTheirNames(t *testing.T) {
	before := idsOf(parseObjects(t, "before", twoServicesOfOnePod))
	s := parseObjects(t, "after", twoServicesOfOnePod)
	s.EndpointSlices[0].Endpoints = s.EndpointSlices[0].Endpoints[1:]
	after := idsOf(s)
	const b = "shop/web:80 10.0.0.2:8080 b"
	if before[b] == "" || before[b] != after[b] {
		t.Errorf("pod b is %q, and %q when pod a is gone", before[b], after[b])
	}
}

// An address is given to another pod soon after its pod is gone. The sessions of the one must not become the other's.
func TestEndpointsAreNamedAfterTheirPods(t *testing.T) {
	ids := idsOf(parseObjects(t, "before", twoServicesOfOnePod))
	s := parseObjects(t, "after", twoServicesOfOnePod)
	s.EndpointSlices[0].Endpoints[0].TargetRef.Name = "c"
	for key, id := range idsOf(s) {
		if key == "shop/web:80 10.0.0.1:8080 c" && id == ids["shop/web:80 10.0.0.1:8080 a"] {
			t.Errorf("pods a and c are both %q", id)
		}
		ids[key] = id
	}
	seen := map[string]string{}
	for key, id := range ids {
		if key == "shop/plain:80 10.0.0.1:8080 a" {
			if id != "" {
				t.Errorf("%s has a name, though no session leads to it", key)
			}
			continue
		}
		if seen[id] != "" || len(id) != 32 {
			t.Errorf("%s and %s are both %q", key, seen[id], id)
		}
		seen[id] = key
	}
}
