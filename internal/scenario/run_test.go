package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
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

const netTestYAML = `
apiVersion: v1
kind: Pod
metadata: {name: net-test}
spec: {containers: [{name: net-test, image: "net-test:1.0"}]}
`

// load writes a scenario with the given steps, with web.yaml and deployment.yaml beside it, and
// loads it.
func load(t *testing.T, steps string) *scenario.Scenario {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "example")
	needs := "requires: [pods]"
	if strings.Contains(steps, "ingresslab-system") || strings.Contains(steps, "{node: {") {
		needs = "exclusive: true"
	}
	file := "apiVersion: ingresslab.dev/v1\nkind: Scenario\nmetadata: {name: example, title: An example}\n" + needs + "\nsteps:\n" + steps
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{scenario.FileName: file, "web.yaml": webYAML, "deployment.yaml": deploymentYAML,
		"net-test.yaml": netTestYAML} {
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

func outcomes(r *scenario.Report) string {
	var all []string
	for _, s := range r.Steps {
		all = append(all, string(s.Outcome))
	}
	return strings.Join(all, " ")
}

// TestOwnScenariosLoad finds faults in the project's scenarios before a cluster does.
func TestOwnScenariosLoad(t *testing.T) {
	entries, err := scenario.List("../../scenarios")
	if err != nil || len(entries) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, entry := range entries {
		if _, err := scenario.Load(entry.Path); err != nil {
			t.Error(err)
		}
	}
}

// TestScenarioRunsInParallelWithItself runs one twice at the same time against one cluster.
func TestScenarioRunsInParallelWithItself(t *testing.T) {
	s := load(t, "- apply: web.yaml\n- wait: {ingress: web, address: true}\n- expect: {url: http://web.test/, status: 200, service: web}\n")
	c, http := fakecluster.New(t)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: http})
			if err != nil || report.Outcome != scenario.Passed {
				t.Errorf("%s: %s: %v", report.Outcome, report.Reason, err)
			}
		})
	}
	both.Wait()
	if left := c.Objects(); len(left)+len(c.Namespaces()) > 0 {
		t.Errorf("left behind: %v %v", c.Namespaces(), left)
	}
}

func TestFailureHasDiagnostics(t *testing.T) {
	s := load(t, `
- apply: web.yaml
- expect: {url: http://web.test/, status: 404, app: api, within: 300ms}
- expect: {url: http://web.test/, status: 200}
`)
	c, http := fakecluster.New(t)
	c.Warn(t, "lab-example-r1", "Ingress", "web", "Odd", "this looks odd")
	report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: http, Run: "r1"})
	if err != nil || report.Outcome != scenario.Failed || outcomes(report) != "passed failed skipped" {
		t.Fatalf("%s (%s), steps %s, error %v", report.Outcome, report.Reason, outcomes(report), err)
	}
	failed := report.Steps[1]
	if failed.Line != 8 || failed.Tries < 2 || failed.Answer == nil || failed.Answer.Served.Pod != "web-pod" {
		t.Errorf("failed step: %+v", failed)
	}
	var text strings.Builder
	scenario.NewPretty(&text, scenario.Style{}).Explain(failed, "")
	for _, want := range []string{
		"status  expected 404 Not Found", "observed 200 OK", "app     expected api", "observed web",
		"ingress web: class ingresslab, address " + fakecluster.Address, "web.r1.test/ -> web:80",
		"service web: 80 -> 0; 1 ready endpoint, 0 not ready", "warning on ingress web: Odd: this looks odd (2 times)",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the explanation lacks %q:\n%s", want, text.String())
		}
	}
	if len(c.Namespaces()) > 0 {
		t.Errorf("left behind after a failure: %v", c.Namespaces())
	}
}

func TestKeepRemovesNothing(t *testing.T) {
	s := load(t, "- apply: web.yaml\n")
	c, http := fakecluster.New(t)
	report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: http, Keep: true})
	if err != nil || !report.Kept || !slices.Equal(c.Namespaces(), []string{report.Namespace}) {
		t.Errorf("kept %v, namespaces %v, %v", report.Kept, c.Namespaces(), err)
	}
}

func TestMissingCapabilitySkipsScenario(t *testing.T) {
	s := load(t, "- apply: web.yaml\n")
	c, http := fakecluster.New(t)
	env := scenario.Env{Kube: c, HTTP: http, Capabilities: cluster.Missing{cluster.Pods: "no containers here"}}
	report, err := scenario.Run(t.Context(), s, env)
	if err != nil || report.Outcome != scenario.Skipped || report.Reason != "requires pods: no containers here" {
		t.Errorf("%s: %q, %v", report.Outcome, report.Reason, err)
	}
	if len(c.Objects())+len(c.Namespaces()) > 0 {
		t.Error("a skipped scenario touched the cluster")
	}
}

// TestInterruptedRunCleansUp cancels while a step waits.
func TestInterruptedRunCleansUp(t *testing.T) {
	s := load(t, "- apply: web.yaml\n- wait: {ready: true}\n- expect: {url: http://web.test/, status: 200}\n")
	c, http := fakecluster.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	c.ReadyErr = func(ctx context.Context, _ []*unstructured.Unstructured) error {
		cancel()
		<-ctx.Done()
		return &kube.NotReadyError{Missing: []string{"service a/web: no endpoint"}, Cause: ctx.Err()}
	}
	report, err := scenario.Run(ctx, s, scenario.Env{Kube: c, HTTP: http})
	if err != nil || report.Outcome != scenario.Interrupted || outcomes(report) != "passed interrupted skipped" {
		t.Errorf("%s (%s), steps %s, %v", report.Outcome, report.Reason, outcomes(report), err)
	}
	if len(c.Objects())+len(c.Namespaces()) > 0 || report.Cleanup != "" {
		t.Errorf("left behind: %v %v (%s)", c.Namespaces(), c.Objects(), report.Cleanup)
	}
}

// isReason reports whether the second step ended the run for the given reason, and says where the
// step stands.
func isReason(r *scenario.Report, want string) bool {
	return r.Reason == fmt.Sprintf("step 2 (%s:%d): %s", r.File, r.Steps[1].Line, want) && r.Steps[1].Line > 0
}

func TestUnmetWaitTimesOut(t *testing.T) {
	c, http := fakecluster.New(t)
	c.ReadyErr = func(ctx context.Context, _ []*unstructured.Unstructured) error {
		<-ctx.Done()
		return &kube.NotReadyError{Missing: []string{"deployment a/web: 0 of 1 pods: ErrImagePull"}, Cause: context.Cause(ctx)}
	}
	c.Keeps = "Service/web"
	for steps, want := range map[string]string{
		"- wait: {ready: true, within: 50ms}\n": "deployment a/web: expected ready, observed 0 of 1 pods: " +
			"ErrImagePull",
		"- wait: {ingress: web, address: false, within: 50ms}\n": "address of ingress web: expected none, " +
			"observed " + fakecluster.Address,
		"- wait: {service: web, endpoints: 2, within: 50ms}\n": "ready endpoints of service web: expected 2, observed 1",
		"- wait: {pod: web, within: 50ms}\n":                   "object: expected pod web is Ready, observed not found",
		"- wait: {ingress: web, addresses: nodes, within: 50ms}\n": "addresses of ingress web: expected nothing, " +
			"observed " + fakecluster.Address,
		"- wait: {ingress: nothing, address: true, within: 50ms}\n":        "object: expected ingress nothing has an address, observed not found",
		"- wait: {deployment: web, condition: Progressing, within: 1ms}\n": "object: expected deployment web is Progressing, observed not found",
	} {
		report, err := scenario.Run(t.Context(), load(t, "- apply: web.yaml\n"+steps), scenario.Env{Kube: c, HTTP: http})
		if err != nil || report.Outcome != scenario.TimedOut || !isReason(report, want) {
			t.Errorf("%s%s: %q, %v\nwant %q", steps, report.Outcome, report.Reason, err, want)
		}
	}
}

func TestApplyTellsRefusalFromDeadServer(t *testing.T) {
	ingress := schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}
	for name, tc := range map[string]struct {
		apply, namespace error
		outcome          scenario.Outcome
	}{
		"invalid":      {apierrors.NewInvalid(ingress, "web", nil), nil, scenario.Failed},
		"forbidden":    {apierrors.NewForbidden(schema.GroupResource{}, "web", errors.New("quota")), nil, scenario.Failed},
		"overloaded":   {apierrors.NewInternalError(errors.New("etcd")), nil, scenario.Broken},
		"no answer":    {errors.New("connection refused"), nil, scenario.Broken},
		"no namespace": {nil, errors.New("connection refused"), scenario.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			c, http := fakecluster.New(t)
			c.NamespaceErr = tc.namespace
			c.ApplyErr = func(o *unstructured.Unstructured) error {
				if o.GetKind() == "Ingress" {
					return tc.apply
				}
				return nil
			}
			report, err := scenario.Run(t.Context(), load(t, "- apply: web.yaml\n"), scenario.Env{Kube: c, HTTP: http})
			if report.Outcome != tc.outcome || (err != nil) != (tc.outcome == scenario.Broken) {
				t.Errorf("%s (%s), error %v; want %s", report.Outcome, report.Reason, err, tc.outcome)
			}
			if report.Reason == "" {
				t.Error("no reason is given")
			}
		})
	}
}

func TestDeleteWaitsUntilObjectsAreGone(t *testing.T) {
	c, http := fakecluster.New(t)
	steps := "- apply: web.yaml\n- delete: [ingress/web, service/nothing]\n- expect: {url: " +
		"http://web.test/, status: 404}\n- delete: web.yaml\n"
	report, err := scenario.Run(t.Context(), load(t, steps), scenario.Env{Kube: c, HTTP: http})
	if err != nil || report.Outcome != scenario.Passed {
		t.Errorf("%s: %s, %v", report.Outcome, report.Reason, err)
	}
	c.Keeps = "Ingress/web"
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	report, err = scenario.Run(ctx, load(t, steps), scenario.Env{Kube: c, HTTP: http, Run: "r1"})
	want := "ingress lab-example-r1/web: expected not to exist, observed exists"
	if err != nil || report.Outcome != scenario.TimedOut || !isReason(report, want) {
		t.Errorf("an object that stays: %s: %q, %v; want %q", report.Outcome, report.Reason, err, want)
	}
}

// TestProgressOrder pins what renderers may rely on.
func TestProgressOrder(t *testing.T) {
	var heard recorder
	c, http := fakecluster.New(t)
	steps := "- apply: web.yaml\n- expect: {url: http://web.test/, status: 500, within: 1ms}\n- apply: web.yaml\n"
	if _, err := scenario.Run(t.Context(), load(t, steps), scenario.Env{Kube: c, HTTP: http, Progress: &heard}); err != nil {
		t.Fatal(err)
	}
	want := "started, step 1 begins, step 1 passed, step 2 begins, step 2 failed, done failed"
	if got := strings.Join(heard, ", "); got != want {
		t.Errorf("heard %s\nwant  %s", got, want)
	}
}

type recorder []string

func (r *recorder) ScenarioStarted(scenario.Report) { *r = append(*r, "started") }
func (r *recorder) StepStarted(s scenario.StepReport) {
	*r = append(*r, fmt.Sprintf("step %d begins", s.Number))
}
func (r *recorder) StepDone(s scenario.StepReport) {
	*r = append(*r, fmt.Sprintf("step %d %s", s.Number, s.Outcome))
}
func (r *recorder) ScenarioDone(report scenario.Report) {
	*r = append(*r, "done "+string(report.Outcome))
}
