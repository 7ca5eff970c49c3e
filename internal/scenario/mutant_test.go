package scenario_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

const mutantSteps = `
- apply: web.yaml
- name: the page
  expect: {url: http://web.test/, status: 200, within: 500ms}
- name: the address
  wait: {ingress: web, address: true}
`

// TestAMutantIsCaughtForItsReason runs mutants of a scenario that shows the page of a Service under a host.
func TestAMutantIsCaughtForItsReason(t *testing.T) {
	const otherHost = "patch: [{object: ingress/web, json: [{op: replace, path: /spec/rules/0/host, value: other.test}]}]"
	for name, tc := range map[string]struct {
		mutant, reason string
		verdict        scenario.Verdict
	}{
		"another host": {
			otherHost + `, caught: {step: the page, message: ["observed 404", no rule for host web.]}`,
			"in step 2 (the page: GET http://web.r1.test/ answers 200): status: expected 200 OK, observed 404 Not Found", scenario.CaughtRight,
		},
		"no step is named": {otherHost + `, caught: {message: "404"}`, "in step 2 ", scenario.CaughtRight},
		"another step": {
			otherHost + `, caught: {step: the address, message: "404"}`,
			`it is not step "the address" that fails, but step 2 (the page: GET http://web.r1.test/ answers 200): status: expected 200 OK, observed 404 Not Found`,
			scenario.CaughtWrong,
		},
		"another reason": {
			otherHost + `, caught: {step: the page, message: ["404", no endpoint]}`,
			`step 2 (the page: GET http://web.r1.test/ answers 200) fails, but its report does not say "no endpoint": status: expected 200 OK, observed 404 Not Found`,
			scenario.CaughtWrong,
		},
		"what was to be done is no reason": {
			otherHost + `, caught: {step: the page, message: GET http}`, "step 2 ", scenario.CaughtWrong,
		},
		"another class": {
			`patch: [{object: ingress/web, merge: {spec: {ingressClassName: nginx}}}], caught: {step: the page, message: class nginx}`, "in step 2", scenario.CaughtRight,
		},
		"no Ingress": {`omit: ingress/web, caught: {step: the page, message: "404"}`, "in step 2", scenario.CaughtRight},
		"no mistake": {
			`patch: [{object: ingress/web, merge: {metadata: {labels: {a: b}}}}], caught: {step: the page, message: "404"}`, "the scenario passes", scenario.Survived,
		},
		"what the cluster cannot show": {otherHost + `, requires: [nodes], caught: {message: "404"}`, "requires nodes: one only", scenario.NotTried},
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, mutantSteps+"mutants:\n- {name: wrong, "+tc.mutant+"}\n")
			c, http := fakecluster.New(t)
			env := scenario.Env{
				Kube: c, HTTP: http, Run: "r1", Patience: 300 * time.Millisecond,
				Capabilities: cluster.Missing{cluster.Nodes: "one only"},
			}
			got, err := scenario.RunMutant(t.Context(), s, s.Mutants[0], env)
			if err != nil || got.Verdict != tc.verdict || !strings.HasPrefix(got.Reason, tc.reason) || got.Line != 13 {
				t.Errorf("line %d: %s: %s, %v\nwant %s: %s", got.Line, got.Verdict, got.Reason, err, tc.verdict, tc.reason)
			}
			if len(c.Namespaces()) > 0 {
				t.Errorf("left behind: %v", c.Namespaces())
			}
		})
	}
}

// TestAMutantIsConvictedEarly has more patience than the test: what is seen again and again, and for the reason that the mutant names, is
// enough. For another reason it is not.
func TestAMutantIsConvictedEarly(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		because   string
		patience  time.Duration
		verdict   scenario.Verdict
		diagnosed bool
	}{
		"what is seen":                {"observed 404", time.Minute, scenario.CaughtRight, false},
		"what only the diagnosis has": {"/ -> web:80", time.Minute, scenario.CaughtRight, true},
		"something else":              {"no endpoint", 3 * time.Second, scenario.CaughtWrong, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, strings.Replace(mutantSteps, "500ms", "1h", 1)+`mutants:
- name: another host
  patch: [{object: ingress/web, json: [{op: replace, path: /spec/rules/0/host, value: other.test}]}]
  caught: {step: the page, message: "`+tc.because+`"}
`)
			c, http := fakecluster.New(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			got, err := scenario.RunMutant(ctx, s, s.Mutants[0], scenario.Env{Kube: c, HTTP: http, Run: "r1", Patience: tc.patience})
			if err != nil || got.Verdict != tc.verdict {
				t.Errorf("%s: %s, %v; want %s", got.Verdict, got.Reason, err, tc.verdict)
			}
			// What is seen convicts it: the events and logs of the cluster are not asked for.
			if page := got.Report.Steps[1]; (page.Diagnostics != nil) != tc.diagnosed {
				t.Errorf("the step %s has the diagnostics %v", page.Name, page.Diagnostics)
			}
		})
	}
}

// TestABrokenLabSaysNothingAboutAMutant keeps a dead API server from passing for a caught mistake.
func TestABrokenLabSaysNothingAboutAMutant(t *testing.T) {
	s := load(t, mutantSteps+"mutants:\n- {name: wrong, omit: ingress/web, caught: {message: connection refused}}\n")
	c, http := fakecluster.New(t)
	c.ApplyErr = func(*unstructured.Unstructured) error { return errors.New("connection refused") }
	got, err := scenario.RunMutant(t.Context(), s, s.Mutants[0], scenario.Env{Kube: c, HTTP: http})
	if err == nil || got.Verdict != scenario.Inconclusive || got.Outcome() != scenario.Broken {
		t.Errorf("%s: %s, %v", got.Verdict, got.Reason, err)
	}
}
