package routing_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// canaryObjects returns an Ingress for shop.test with annotations, and its Service with endpoints.
func canaryObjects(name, annotations, endpoints string) string {
	return strings.NewReplacer("NAME", name, "ANNOTATIONS", annotations, "ENDPOINTS", endpoints).Replace(`---
kind: Ingress
metadata: {namespace: shop, name: NAME, annotations: {ANNOTATIONS}}
spec:
  rules:
  - host: shop.test
    http: {paths: [{path: "/", pathType: Prefix, backend: {service: {name: NAME, port: {number: 80}}}}]}
---
kind: Service
metadata: {namespace: shop, name: NAME}
spec: {ports: [{port: 80}]}
---
kind: EndpointSlice
metadata: {namespace: shop, name: NAME, labels: {kubernetes.io/service-name: NAME}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: ENDPOINTS
`)
}

// canaryTable has a main rule for shop.test and a canary for each weight, each with its own
// Service.
func canaryTable(t testing.TB, total int, weights ...int) *routing.Table {
	t.Helper()
	var b strings.Builder
	write := func(name, annotations string) {
		b.WriteString(canaryObjects(name, annotations, "[{addresses: [10.0.0.1]}]"))
	}
	write("main", "")
	const prefix = "nginx.ingress.kubernetes.io/"
	for i, weight := range weights {
		write(fmt.Sprintf("canary-%d", i), fmt.Sprintf(`%scanary: "true", %scanary-weight: "%d", %scanary-weight-total: "%d"`, prefix, prefix,
			weight, prefix, total))
	}
	table, problems := routing.Build(parseObjects(t, "canaries", b.String()), routing.Options{WatchIngressWithoutClass: true}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return table
}

// canaryConditions has a main rule and a canary with the whole weight. Each has one endpoint with
// these conditions, or none if they are empty.
func canaryConditions(t *testing.T, main, canary string) *routing.Table {
	t.Helper()
	var b strings.Builder
	for name, with := range map[string]struct{ annotations, conditions string }{
		"main":   {"", main},
		"canary": {`nginx.ingress.kubernetes.io/canary: "true", nginx.ingress.kubernetes.io/canary-weight: "100"`, canary},
	} {
		endpoints := "[]"
		if with.conditions != "" {
			endpoints = "[{addresses: [10.0.0.1], conditions: " + with.conditions + "}]"
		}
		b.WriteString(canaryObjects(name, with.annotations, endpoints))
	}
	table, _ := routing.Build(parseObjects(t, "conditions", b.String()), routing.Options{WatchIngressWithoutClass: true}, nil)
	return table
}

// A terminating pod can refuse the next request. So a pool with only such pods gives way to the
// other one, and a user can delete or promote a canary without a failed request.
func TestTerminatingPodsGiveWay(t *testing.T) {
	const ready, terminating, none = "{ready: true}", "{ready: false, serving: true, terminating: true}", ""
	for _, tc := range []struct{ name, main, canary, serves string }{
		{"canary is being deleted", ready, terminating, "main"},
		{"main is scaled down", terminating, ready, "canary"},
		{"both have ready pods", ready, ready, "canary"},
		{"both are terminating", terminating, terminating, "main"},
		{"main has no endpoints, canary is terminating", none, terminating, "canary"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := serviceForRandom(canaryConditions(t, tc.main, tc.canary), 0.5); got != tc.serves {
				t.Errorf("%s serves, want %s", got, tc.serves)
			}
		})
	}
}

func serviceForRandom(table *routing.Table, random float64) string {
	return table.Decide(routing.Request{Method: "GET", Host: "shop.test", Path: "/", Random: random}).Pool.Service.Name
}

// For any weights, the number of random values k/total that select a canary is exactly its weight.
// With floating-point sums, it could be one more or less.
func TestCanaryShareIsExact(t *testing.T) {
	for _, tc := range []struct {
		total   int
		weights []int
	}{
		{100, []int{0}}, {100, []int{1}}, {100, []int{50}}, {100, []int{100}},
		{100, []int{10, 20}}, {100, []int{33, 33, 33}}, {1000, []int{7, 100, 200, 1}},
	} {
		table := canaryTable(t, tc.total, tc.weights...)
		got := map[string]int{}
		for k := range tc.total {
			got[serviceForRandom(table, float64(k)/float64(tc.total))]++
		}
		main := tc.total
		for i, weight := range tc.weights {
			main -= weight
			if name := fmt.Sprintf("canary-%d", i); got[name] != weight {
				t.Errorf("weights %v of %d: %s gets %d values, want %d", tc.weights, tc.total, name, got[name], weight)
			}
		}
		if got["main"] != main {
			t.Errorf("weights %v of %d: main gets %d values, want %d", tc.weights, tc.total, got["main"], main)
		}
	}
}

// If the weights exceed the total, main gets no requests, and the last canary gets the rest.
func TestCanaryWeightsExceedTotal(t *testing.T) {
	table := canaryTable(t, 100, 70, 70)
	got := map[string]int{}
	for k := range 100 {
		got[serviceForRandom(table, float64(k)/100)]++
	}
	if got["canary-0"] != 70 || got["canary-1"] != 30 || got["main"] != 0 {
		t.Errorf("shares are %v, want 70, 30, and 0 for main", got)
	}
	if name := serviceForRandom(table, math.Nextafter(1, 0)); name != "canary-1" {
		t.Errorf("the greatest value selects %s", name)
	}
}

// With random values, the shares deviate from the weights by less than five standard deviations of
// the binomial distribution. The seed is fixed, so the result is always the same.
func TestCanarySharesFollowWeights(t *testing.T) {
	const requests = 100_000
	table := canaryTable(t, 100, 5, 20)
	random := rand.New(rand.NewPCG(1, 2))
	got := map[string]int{}
	for range requests {
		got[serviceForRandom(table, random.Float64())]++
	}
	for name, share := range map[string]float64{"canary-0": 0.05, "canary-1": 0.2, "main": 0.75} {
		mean, deviation := requests*share, math.Sqrt(requests*share*(1-share))
		if math.Abs(float64(got[name])-mean) > 5*deviation {
			t.Errorf("%s got %d of %d requests, want %.0f ± %.0f", name, got[name], requests, mean, 5*deviation)
		}
	}
}
