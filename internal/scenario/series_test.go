package scenario_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/scenario/fakecluster"
)

// TestASeriesSharesPodsUntilSomebodyDisturbsThem runs mutants of a scenario with a Deployment, and then the scenario, which scales it.
func TestASeriesSharesPodsUntilSomebodyDisturbsThem(t *testing.T) {
	const caught = ", caught: {step: the page, because: \"404\"}"
	s := load(t, `
- apply: [deployment.yaml, web.yaml]
- name: the page
  expect: {url: http://web.test/, status: 200, within: 500ms}
- scale: {deployment: web, replicas: 2}
mutants:
- {name: another host, patch: [{object: ingress/web, json: [{op: replace, path: /spec/rules/0/host, value: other.test}]}]`+caught+`}
- {name: no Ingress, omit: ingress/web`+caught+`}
- {name: other pods, patch: [{object: deployment/web, merge: {spec: {replicas: 3}}}], omit: ingress/web`+caught+`}
- {name: another class, patch: [{object: ingress/web, merge: {spec: {ingressClassName: nginx}}}]`+caught+`}
`)
	c, http := fakecluster.New(t)
	series := scenario.NewSeries(s, scenario.Env{Kube: c, HTTP: http, Patience: 300 * time.Millisecond})
	var namespaces []string
	for _, m := range s.Mutants {
		got, err := series.RunMutant(t.Context(), m)
		if err != nil || got.Verdict != scenario.CaughtRight {
			t.Fatalf("%s: %s: %s, %v", m.Name, got.Verdict, got.Reason, err)
		}
		namespaces = append(namespaces, got.Report.Namespace)
		if left := c.Objects(); !slices.ContainsFunc(left, func(o string) bool { return strings.Contains(o, "web") }) ||
			slices.ContainsFunc(left, func(o string) bool { return strings.HasPrefix(o, "ingress") || strings.HasPrefix(o, "service") }) {
			t.Errorf("%s: left for the next run is %v, and was to be the Deployment alone", m.Name, left)
		}
	}
	report, err := series.Run(t.Context())
	if err != nil || report.Outcome != scenario.Passed {
		t.Fatalf("%s: %s, %v", report.Outcome, report.Reason, err)
	}
	namespaces = append(namespaces, report.Namespace)
	if n := namespaces; n[1] != n[0] || n[2] == n[0] || n[3] != n[0] || n[4] != n[0] {
		t.Errorf("the namespaces are %v, and only the third, with other pods, was to be another", n)
	}
	if left := c.Namespaces(); len(left) > 0 {
		t.Errorf("%v is left, though the scenario has scaled what is in it", left)
	}
	if again, err := series.Run(t.Context()); err != nil || again.Namespace == report.Namespace {
		t.Errorf("the next run is in %s again, %v", again.Namespace, err)
	}
}

// TestASeriesLeavesNothing closes a series whose last run has left its pods, and one after an interruption.
func TestASeriesLeavesNothing(t *testing.T) {
	s := load(t, `
- apply: [deployment.yaml, web.yaml]
- expect: {url: http://web.test/, status: 200, within: 500ms}
`)
	c, http := fakecluster.New(t)
	series := scenario.NewSeries(s, scenario.Env{Kube: c, HTTP: http})
	for range 2 {
		if report, err := series.Run(t.Context()); err != nil || report.Outcome != scenario.Passed {
			t.Fatalf("%s: %s, %v", report.Outcome, report.Reason, err)
		}
	}
	if left := c.Namespaces(); len(left) != 1 {
		t.Errorf("there is %v while the series goes on", left)
	}
	for range 2 {
		if err := series.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if left := c.Namespaces(); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
