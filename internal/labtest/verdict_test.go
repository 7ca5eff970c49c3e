package labtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

const webYAML = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}], selector: {app: web}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: ingresslab
  rules:
  - host: web.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`

const deploymentYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "cheese:cheddar"}]}
`

// loadScenario writes a scenario with the given steps, with web.yaml and deployment.yaml beside it,
// and loads it.
func loadScenario(t *testing.T, steps string) *scenario.Scenario {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "example")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	head := "apiVersion: ingresslab.dev/v1\nkind: Scenario\nmetadata: {name: example, title: An example}\nrequires: [pods]\nsteps:\n"
	for name, text := range map[string]string{scenario.FileName: head + steps, "web.yaml": webYAML, "deployment.yaml": deploymentYAML} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := scenario.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const mutantSteps = `
- apply: web.yaml
- name: the page
  expect: {url: http://web.test/, status: 200, within: 500ms}
- name: the address
  wait: {ingress: web, address: true}
`

func TestMutantIsCaughtOnlyForItsReason(t *testing.T) {
	const otherHost = "patch: [{object: ingress/web, json: [{op: replace, path: /spec/rules/0/host, value: other.test}]}]"
	for name, tc := range map[string]struct {
		mutant, reason string
		verdict        Verdict
	}{
		"another host": {
			otherHost + `, caught: {step: the page, message: ["observed 404", no rule for host web.]}`,
			"in step 2 (the page: GET http://web.r1.test/ answers 200): status: expected 200 OK, observed 404 Not Found", CaughtRight,
		},
		"no step in caught": {otherHost + `, caught: {message: "404"}`, "in step 2 ", CaughtRight},
		"another step": {
			otherHost + `, caught: {step: the address, message: "404"}`,
			`step "the address" must fail, but step 2 (the page: GET http://web.r1.test/ answers 200) fails: ` +
				`status: expected 200 OK, observed 404 Not Found`,
			CaughtWrong,
		},
		"another reason": {
			otherHost + `, caught: {step: the page, message: ["404", no endpoint]}`,
			`step 2 (the page: GET http://web.r1.test/ answers 200) fails, but its report does not say "no endpoint": ` +
				`status: expected 200 OK, observed 404 Not Found`,
			CaughtWrong,
		},
		"text of the step itself": {
			otherHost + `, caught: {step: the page, message: GET http}`, "step 2 ", CaughtWrong,
		},
		"another class": {
			`patch: [{object: ingress/web, merge: {spec: {ingressClassName: nginx}}}], caught: {step: the page, message: class nginx}`,
			"in step 2", CaughtRight,
		},
		"no Ingress": {`omit: ingress/web, caught: {step: the page, message: "404"}`, "in step 2", CaughtRight},
		"harmless change": {
			`patch: [{object: ingress/web, merge: {metadata: {labels: {a: b}}}}], caught: {step: the page, message: "404"}`,
			"the scenario passes", Survived,
		},
		"missing capability": {otherHost + `, requires: [nodes], caught: {message: "404"}`, "requires nodes: one only", NotTried},
	} {
		t.Run(name, func(t *testing.T) {
			s := loadScenario(t, mutantSteps+"mutants:\n- {name: wrong, "+tc.mutant+"}\n")
			c, http := fakecluster.New(t)
			env := scenario.Env{
				Kube: c, HTTP: http, Run: "r1",
				Capabilities: cluster.Missing{cluster.Nodes: "one only"},
			}
			got, err := runMutantWithin(t.Context(), s, s.Mutants[0], env, 300*time.Millisecond)
			if err != nil || got.Verdict != tc.verdict || !strings.HasPrefix(got.Reason, tc.reason) || got.Line != 13 {
				t.Errorf("line %d: %s: %s, %v\nwant %s: %s", got.Line, got.Verdict, got.Reason, err, tc.verdict, tc.reason)
			}
			if len(c.Namespaces()) > 0 {
				t.Errorf("namespaces left: %v", c.Namespaces())
			}
		})
	}
}

// A step ends early if the polls see the same for a while, and its report has the message of the
// mutant.
func TestMutantStopsEarlyOnceCaught(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		message   string
		within    time.Duration
		verdict   Verdict
		diagnosed bool
	}{
		"message in the mismatch":    {"observed 404", time.Minute, CaughtRight, false},
		"message in the diagnostics": {"/ -> web:80", time.Minute, CaughtRight, true},
		"another message":            {"no endpoint", 3 * time.Second, CaughtWrong, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := loadScenario(t, strings.Replace(mutantSteps, "500ms", "1h", 1)+`mutants:
- name: another host
  patch: [{object: ingress/web, json: [{op: replace, path: /spec/rules/0/host, value: other.test}]}]
  caught: {step: the page, message: "`+tc.message+`"}
`)
			c, http := fakecluster.New(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			got, err := runMutantWithin(ctx, s, s.Mutants[0], scenario.Env{Kube: c, HTTP: http, Run: "r1"}, tc.within)
			if err != nil || got.Verdict != tc.verdict {
				t.Errorf("%s: %s, %v; want %s", got.Verdict, got.Reason, err, tc.verdict)
			}
			// If the mismatch is enough, the report needs no diagnostics.
			if page := got.Report.Steps[1]; (page.Diagnostics != nil) != tc.diagnosed {
				t.Errorf("step %s has diagnostics %v", page.Name, page.Diagnostics)
			}
		})
	}
}

// A dead API server does not count as a caught mutant.
func TestMutantInBrokenLabIsInconclusive(t *testing.T) {
	s := loadScenario(t, mutantSteps+"mutants:\n- {name: wrong, omit: ingress/web, caught: {message: connection refused}}\n")
	c, http := fakecluster.New(t)
	c.ApplyErr = func(*unstructured.Unstructured) error { return errors.New("connection refused") }
	got, err := RunMutant(t.Context(), s, s.Mutants[0], scenario.Env{Kube: c, HTTP: http})
	if err == nil || got.Verdict != Inconclusive || got.Outcome() != scenario.Broken {
		t.Errorf("%s: %s, %v", got.Verdict, got.Reason, err)
	}
}

// The mutants share the pods of a Deployment, and then the scenario scales it.
func TestSharedRunKeepsPodsUntilStepChangesThem(t *testing.T) {
	const caught = ", caught: {step: the page, message: \"404\"}"
	s := loadScenario(t, `
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
	shared := NewSharedRun(s, scenario.Env{Kube: c, HTTP: http})
	shared.within = 300 * time.Millisecond
	var namespaces []string
	for _, m := range s.Mutants {
		got, err := shared.RunMutant(t.Context(), m)
		if err != nil || got.Verdict != CaughtRight {
			t.Fatalf("%s: %s: %s, %v", m.Name, got.Verdict, got.Reason, err)
		}
		namespaces = append(namespaces, got.Report.Namespace)
		want := []string{"deployment web"}
		if m.Name == "other pods" {
			want = nil
		}
		if left := kindsAndNames(c.Objects()); !slices.Equal(left, want) {
			t.Errorf("%s: objects for the next run: %v, want %v", m.Name, left, want)
		}
	}
	report, err := shared.Run(t.Context())
	if err != nil || report.Outcome != scenario.Passed {
		t.Fatalf("%s: %s, %v", report.Outcome, report.Reason, err)
	}
	namespaces = append(namespaces, report.Namespace)
	if n := slices.Compact(namespaces); len(n) != 1 {
		t.Errorf("namespaces %v, want one", n)
	}
	if left := c.Namespaces(); len(left) > 0 {
		t.Errorf("namespaces left after the scenario scaled the Deployment: %v", left)
	}
	if again, err := shared.Run(t.Context()); err != nil || again.Namespace == report.Namespace {
		t.Errorf("the next run reuses namespace %s, %v", again.Namespace, err)
	}
}

func TestSharedRunCloseRemovesNamespace(t *testing.T) {
	s := loadScenario(t, `
- apply: [deployment.yaml, web.yaml]
- expect: {url: http://web.test/, status: 200, within: 500ms}
`)
	c, http := fakecluster.New(t)
	shared := NewSharedRun(s, scenario.Env{Kube: c, HTTP: http})
	for range 2 {
		if report, err := shared.Run(t.Context()); err != nil || report.Outcome != scenario.Passed {
			t.Fatalf("%s: %s, %v", report.Outcome, report.Reason, err)
		}
	}
	if left := c.Namespaces(); len(left) != 1 {
		t.Errorf("namespaces %v before Close, want one", left)
	}
	for range 2 {
		if err := shared.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if left := c.Namespaces(); len(left) > 0 {
		t.Errorf("namespaces left: %v", left)
	}
}

// kindsAndNames are the objects without their namespaces.
func kindsAndNames(objects []string) (all []string) {
	for _, o := range objects {
		kind, name, _ := strings.Cut(o, " ")
		_, name, _ = strings.Cut(name, "/")
		all = append(all, strings.ToLower(kind)+" "+name)
	}
	slices.Sort(all)
	return all
}
