package routing_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// An informer cache has no order. If Build depended on the order, routes could change with every
// Build, and Events would repeat.
func TestBuildIgnoresOrderOfObjects(t *testing.T) {
	for _, g := range append(goldens(t), allGoldensAtOnce(t)) {
		t.Run(g.name(), func(t *testing.T) {
			want := render(t, g.snapshot, g)
			// A Problem of an endpoint has its index, so the test keeps the order within the slice.
			inside := !strings.Contains(want, "endpoints[")
			for seed := range uint64(20) {
				shuffled := shuffle(g.snapshot, rand.New(rand.NewPCG(seed, 0)), inside)
				if got := render(t, shuffled, g); got != want {
					t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
				}
			}
		})
	}
}

// allGoldensAtOnce has the objects of all goldens, with many conflicts.
func allGoldensAtOnce(t *testing.T) golden {
	all := golden{path: "all-at-once.txtar"}
	names := map[types.NamespacedName]bool{}
	for _, g := range goldens(t) {
		all.archive, all.options = g.archive, g.options
		for _, ing := range g.snapshot.Ingresses {
			// Names are unique in a cluster, but not among goldens.
			ing.Name = g.name() + "-" + ing.Name
			all.snapshot.Ingresses = append(all.snapshot.Ingresses, ing)
		}
		for _, svc := range g.snapshot.Services {
			if name := (types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name}); !names[name] {
				names[name] = true
				all.snapshot.Services = append(all.snapshot.Services, svc)
			}
		}
		for _, secret := range g.snapshot.Secrets {
			if name := (types.NamespacedName{Namespace: secret.Namespace, Name: "secret/" + secret.Name}); !names[name] {
				names[name] = true
				all.snapshot.Secrets = append(all.snapshot.Secrets, secret)
			}
		}
		all.snapshot.EndpointSlices = append(all.snapshot.EndpointSlices, g.snapshot.EndpointSlices...)
	}
	return all
}

func render(t *testing.T, s routing.Snapshot, g golden) string {
	table, problems := routing.Build(s, g.options, nil)
	return renderTable(table) + renderProblems(problems) + renderRequests(t, table, g.requests())
}

func shuffle(s routing.Snapshot, r *rand.Rand, insideSlices bool) routing.Snapshot {
	s.Ingresses = slices.Clone(s.Ingresses)
	s.Services = slices.Clone(s.Services)
	s.IngressClasses = slices.Clone(s.IngressClasses)
	s.EndpointSlices = slices.Clone(s.EndpointSlices)
	s.Secrets = slices.Clone(s.Secrets)
	s.ConfigMaps = slices.Clone(s.ConfigMaps)
	swapIn(r, s.Secrets)
	swapIn(r, s.ConfigMaps)
	swapIn(r, s.Ingresses)
	swapIn(r, s.Services)
	swapIn(r, s.IngressClasses)
	swapIn(r, s.EndpointSlices)
	for i, slice := range s.EndpointSlices {
		if insideSlices {
			s.EndpointSlices[i] = slice.DeepCopy()
			swapIn(r, s.EndpointSlices[i].Endpoints)
		}
	}
	return s
}

func swapIn[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// A Snapshot has objects of an informer cache, which other goroutines read at the same time.
func TestBuildDoesNotChangeObjects(t *testing.T) {
	for _, g := range goldens(t) {
		before := routing.Snapshot{}
		for _, o := range g.snapshot.Ingresses {
			before.Ingresses = append(before.Ingresses, o.DeepCopy())
		}
		for _, o := range g.snapshot.IngressClasses {
			before.IngressClasses = append(before.IngressClasses, o.DeepCopy())
		}
		for _, o := range g.snapshot.Services {
			before.Services = append(before.Services, o.DeepCopy())
		}
		for _, o := range g.snapshot.EndpointSlices {
			before.EndpointSlices = append(before.EndpointSlices, o.DeepCopy())
		}
		for _, o := range g.snapshot.Secrets {
			before.Secrets = append(before.Secrets, o.DeepCopy())
		}
		for _, o := range g.snapshot.ConfigMaps {
			before.ConfigMaps = append(before.ConfigMaps, o.DeepCopy())
		}
		table, _ := routing.Build(g.snapshot, g.options, nil)
		renderRequests(t, table, g.requests())
		if !reflect.DeepEqual(before, g.snapshot) {
			t.Errorf("%s: Build or Decide changed the objects, or their order", g.name())
		}
	}
}

func TestProblemHasReferenceToObject(t *testing.T) {
	ing := &networkingv1.Ingress{}
	ing.Namespace, ing.Name, ing.UID = "shop", "web", "4711"
	_, problems := routing.Build(routing.Snapshot{Ingresses: []*networkingv1.Ingress{ing}}, routing.Options{WatchIngressWithoutClass: true},
		nil)
	if len(problems) != 1 {
		t.Fatalf("an empty Ingress has %d problems, want 1: %v", len(problems), problems)
	}
	want := routing.ObjectRef{Kind: "Ingress", Namespace: "shop", Name: "web", UID: "4711"}
	if problems[0].Object != want {
		t.Errorf("the problem is about %+v, want %+v", problems[0].Object, want)
	}
}

// An empty --controller-class matches no IngressClass, even one without a controller.
func TestEmptyControllerClassMatchesNoIngress(t *testing.T) {
	name := "lab"
	ing := &networkingv1.Ingress{Spec: networkingv1.IngressSpec{IngressClassName: &name}}
	class := &networkingv1.IngressClass{}
	class.Name = name
	table, _ := routing.Build(routing.Snapshot{
		Ingresses:      []*networkingv1.Ingress{ing},
		IngressClasses: []*networkingv1.IngressClass{class},
	}, routing.Options{}, nil)
	if got := table.Ingresses(); len(got) != 0 {
		t.Errorf("claimed Ingresses: %v", got)
	}
}

// Logs and affinity use the name and the node of a pod.
func TestEndpointHasPodAndNode(t *testing.T) {
	s := parseObjects(t, "inline", `
kind: Ingress
metadata: {namespace: shop, name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
kind: Service
metadata: {namespace: shop, name: web}
spec: {ports: [{port: 80}]}
---
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.0.0.1], nodeName: worker, targetRef: {kind: Pod, namespace: shop, name: web-a}}]
`)
	if s.EndpointSlices[0].AddressType != discoveryv1.AddressTypeIPv4 {
		t.Fatal("the pool has no endpoint")
	}
	table, _ := routing.Build(s, routing.Options{WatchIngressWithoutClass: true}, nil)
	e := table.CatchAll().Pool.Endpoints[0]
	if e.Pod != (types.NamespacedName{Namespace: "shop", Name: "web-a"}) || e.Node != "worker" {
		t.Errorf("endpoint is %+v", e)
	}
}

// YAML allows control characters in a path, and HTTP does not.
func TestRulePathWithControlCharacter(t *testing.T) {
	table, problems := routing.Build(parseObjects(t, "inline", `
kind: Ingress
metadata: {namespace: shop, name: web}
spec:
  rules:
  - host: shop.test
    http: {paths: [{path: "/a\tb", pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`), routing.Options{WatchIngressWithoutClass: true}, nil)
	if len(table.Routes()) != 0 || len(problems) != 1 || problems[0].Code != routing.CodeInvalidPath {
		t.Errorf("got %d routes and %v", len(table.Routes()), problems)
	}
}
