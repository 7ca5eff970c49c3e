package routing_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// canaryObjects is an Ingress for shop.test with the annotations, and its Service with the endpoints.
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

// canaryTable has a main rule for shop.test and a canary for each of the weights, each with a Service of its own.
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

// canaryConditions has a main rule and a canary with all of the weight, whose only endpoints have these conditions; "" has none.
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

// A pod that terminates may refuse the next request. So whoever has only such pods gives way to whoever has others, and a canary
// is taken back, or promoted, without a failed request.
func TestPodsThatTerminateGiveWay(t *testing.T) {
	const ready, ending, none = "{ready: true}", "{ready: false, serving: true, terminating: true}", ""
	for _, tc := range []struct{ name, main, canary, serves string }{
		{"the canary is taken back", ready, ending, "main"},
		{"the canary is promoted and main scaled down", ending, ready, "canary"},
		{"both have ready pods", ready, ready, "canary"},
		{"both are ending", ending, ending, "main"},
		{"main has nothing, and the canary only what is ending", none, ending, "canary"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := serviceForDraw(canaryConditions(t, tc.main, tc.canary), 0.5); got != tc.serves {
				t.Errorf("%s serves, want %s", got, tc.serves)
			}
		})
	}
}

func serviceForDraw(table *routing.Table, draw float64) string {
	return table.Decide(routing.Request{Method: "GET", Host: "shop.test", Path: "/", Draw: draw}).Pool.Service.Name
}

// Whatever the weights, of all the draws that a total has, exactly as many go to a canary as its weight says. Sums of decimal
// fractions are where floating-point numbers would give one more or less.
func TestEveryDrawOfACanary(t *testing.T) {
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
			got[serviceForDraw(table, float64(k)/float64(tc.total))]++
		}
		main := tc.total
		for i, weight := range tc.weights {
			main -= weight
			if name := fmt.Sprintf("canary-%d", i); got[name] != weight {
				t.Errorf("weights %v of %d: %s gets %d draws, want %d", tc.weights, tc.total, name, got[name], weight)
			}
		}
		if got["main"] != main {
			t.Errorf("weights %v of %d: main gets %d draws, want %d", tc.weights, tc.total, got["main"], main)
		}
	}
}

// Weights that add up to more than everything leave nothing for main, and the last canary gets what is left.
func TestCanariesThatWantTooMuch(t *testing.T) {
	table := canaryTable(t, 100, 70, 70)
	got := map[string]int{}
	for k := range 100 {
		got[serviceForDraw(table, float64(k)/100)]++
	}
	if got["canary-0"] != 70 || got["canary-1"] != 30 || got["main"] != 0 {
		t.Errorf("shares are %v, want 70, 30 and none for main", got)
	}
	if name := serviceForDraw(table, math.Nextafter(1, 0)); name != "canary-1" {
		t.Errorf("the greatest draw goes to %s", name)
	}
}

// With draws as the proxy makes them, the shares are those of the weights: they deviate by less than five times the standard
// deviation of the binomial distribution. The seed is fixed, so this is no matter of luck.
func TestSharesOfCanaries(t *testing.T) {
	const requests = 100_000
	table := canaryTable(t, 100, 5, 20)
	random := rand.New(rand.NewPCG(1, 2))
	got := map[string]int{}
	for range requests {
		got[serviceForDraw(table, random.Float64())]++
	}
	for name, share := range map[string]float64{"canary-0": 0.05, "canary-1": 0.2, "main": 0.75} {
		mean, deviation := requests*share, math.Sqrt(requests*share*(1-share))
		if math.Abs(float64(got[name])-mean) > 5*deviation {
			t.Errorf("%s got %d of %d requests, want %.0f, give or take %.0f", name, got[name], requests, mean, 5*deviation)
		}
	}
}
