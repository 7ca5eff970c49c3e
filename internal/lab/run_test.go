package lab_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

func hostRouting(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Load("testdata/labs/01-host-routing")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func environment(t *testing.T) (*fakecluster.Cluster, lab.Env) {
	t.Helper()
	c, http := fakecluster.New(t)
	return c, lab.Env{Env: scenario.Env{Kube: c, HTTP: http}, Addresses: cluster.Addresses{HTTP: "127.0.0.1:8080", HTTPS: "127.0.0.1:443"}}
}

func object(kind, name string, more map[string]any) *unstructured.Unstructured {
	versions := map[string]string{"Ingress": "networking.k8s.io/v1", "IngressClass": "networking.k8s.io/v1", "Deployment": "apps/v1",
		"DaemonSet": "apps/v1"}
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
	if v := versions[kind]; v != "" {
		o.SetAPIVersion(v)
	}
	o.SetName(name)
	o.SetNamespace("lab-1")
	for field, value := range more {
		o.Object[field] = value
	}
	return o
}

// ingressFor returns an Ingress of a student.
func ingressFor(name, host, service string) *unstructured.Unstructured {
	path := map[string]any{"path": "/", "pathType": "Prefix", "backend": map[string]any{
		"service": map[string]any{"name": service, "port": map[string]any{"number": int64(80)}},
	}}
	return object("Ingress", name, map[string]any{"spec": map[string]any{
		"ingressClassName": "ingresslab",
		"rules":            []any{map[string]any{"host": host, "http": map[string]any{"paths": []any{path}}}},
	}})
}

// Each lab runs twice. The second run starts with the solution of the first in the namespace.
func TestLabsFailAtStartAndPassWithSolution(t *testing.T) {
	t.Parallel()
	entries, err := lab.List("testdata/labs")
	if err != nil || len(entries) == 0 {
		t.Fatalf("no labs: %v", err)
	}
	for _, entry := range entries {
		t.Run(entry.Name, func(t *testing.T) {
			l, err := lab.Load(entry.Dir)
			if err != nil {
				t.Fatal(err)
			}
			_, env := environment(t)
			for range 2 {
				report, err := lab.Run(t.Context(), l, env)
				if err != nil || report.Outcome != scenario.Passed || len(report.Notes) > 0 {
					t.Fatalf("%s: %s, notes %v, %v", report.Outcome, report.Reason, report.Notes, err)
				}
				if len(report.Before) != len(l.Tasks) || len(report.Solved) != 3 || len(report.After) != len(l.Tasks) {
					t.Errorf("%d checks at the start, %d with solutions, and %d at the end, of %d tasks", len(report.Before), len(report.Solved),
						len(report.After), len(l.Tasks))
				}
			}
		})
	}
}

func TestRunOutput(t *testing.T) {
	t.Parallel()
	_, env := environment(t)
	var text strings.Builder
	env.Progress = lab.NewPretty(&text, scenario.Style{})
	if _, err := lab.Run(t.Context(), hostRouting(t), env); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"lab 1: Three cheeses, one door\n  requests for any host go to 127.0.0.1:8080\n" +
			"apply start/ to namespace lab-1: 3 deployments, 3 services, 1 ingress\n",
		"  ✓ Three cheeses run, and each has a service (passes at the start)\n",
		"  ○ cheddar.localhost shows the cheddar: not yet\n",
		"        status       expected 200 OK\n                     observed 404 Not Found\n",
		"        the controller says: no rule for host cheddar.localhost\n",
		"solve each task, then check it\n",
		"  ✓ stilton.localhost shows the stilton (",
		"✓ lab 1 passed (",
		"  open in a browser:\n    http://cheddar.localhost:8080/\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, text.String())
		}
	}
}

// The namespace has a student's ConfigMap, a student's Ingress with a name of the lab, and an old
// object of the lab.
func TestRunKeepsObjectsOfStudent(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	c.Put(t, "kubectl-create", object("ConfigMap", "notes", nil), ingressFor("cheddar", "cheddar.localhost", "cheddar"))
	old := object("ConfigMap", "old", nil)
	old.SetLabels(map[string]string{lab.Label: "host-routing"})
	c.Put(t, kube.FieldManager, old)
	report, err := lab.Run(t.Context(), hostRouting(t), env)
	if err != nil || report.Outcome != scenario.Passed {
		t.Fatalf("%s: %s, %v", report.Outcome, report.Reason, err)
	}
	notes := strings.Join(report.Notes, "\n")
	for _, want := range []string{
		"restored ingress lab-1/cheddar, which kubectl-create changed",
		"namespace lab-1 also has objects that do not belong to the lab: configmap/notes",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q:\n%s", want, notes)
		}
	}
	left := strings.Join(c.Objects(), "\n")
	if !strings.Contains(left, "ConfigMap lab-1/notes") || strings.Contains(left, "ConfigMap lab-1/old") {
		t.Errorf("objects after the lab:\n%s", left)
	}
}

// A student's Ingress can make a check pass too early, which is not an error in the lab.
func TestCheckPassesTooEarly(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	c.Put(t, "kubectl-create", ingressFor("mine", "cheddar.localhost", "cheddar"))
	report, err := lab.Run(t.Context(), hostRouting(t), env)
	if err != nil || report.Outcome != scenario.Failed || !strings.Contains(report.Reason, "your objects in namespace lab-1: ingress/mine") {
		t.Errorf("Ingress of the student: %s: %s, %v", report.Outcome, report.Reason, err)
	}

	l := hostRouting(t)
	l.Start = append(l.Start[:len(l.Start)-1], l.Solution...)
	_, env = environment(t)
	report, err = lab.Run(t.Context(), l, env)
	if err == nil || report.Outcome != scenario.Broken || !strings.Contains(report.Reason, "passes at start/") {
		t.Errorf("solved start: %s: %s, %v", report.Outcome, report.Reason, err)
	}
}

func TestWrongSolutionFails(t *testing.T) {
	t.Parallel()
	l := hostRouting(t)
	last := &l.Tasks[len(l.Tasks)-1]
	wrong := *last.Check[0].Expect
	wrong.Status, wrong.Within = 418, scenario.Duration(500*time.Millisecond)
	last.Check = []scenario.Step{{Expect: &wrong}}
	_, env := environment(t)
	var text strings.Builder
	env.Progress = lab.NewPretty(&text, scenario.Style{})
	report, err := lab.Run(t.Context(), l, env)
	if err != nil || report.Outcome != scenario.Failed || !strings.HasPrefix(report.Reason, "task wensleydale: status: expected 418") {
		t.Errorf("%s: %s, %v", report.Outcome, report.Reason, err)
	}
	if !strings.Contains(text.String(), "✗ wensleydale.localhost shows the wensleydale\n") ||
		!strings.Contains(text.String(), "✗ lab 1 failed") {
		t.Errorf("output:\n%s", text.String())
	}
}

// deadEnd returns a client for a port without a listener.
func deadEnd(t *testing.T) *probe.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return probe.NewClient(probe.Addresses{HTTP: listener.Addr().String()})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	notReady := func(_ context.Context, _ []*unstructured.Unstructured) error {
		return &kube.NotReadyError{Missing: []string{"deployment lab-1/cheddar: ErrImagePull"}, Cause: context.DeadlineExceeded}
	}
	for name, tc := range map[string]struct {
		prepare func(*fakecluster.Cluster, *lab.Env, context.CancelFunc)
		outcome scenario.Outcome
		reason  string
	}{
		"pods not ready": {func(c *fakecluster.Cluster, _ *lab.Env, _ context.CancelFunc) { c.ReadyErr = notReady }, scenario.TimedOut,
			"ErrImagePull"},
		"no API server": {func(c *fakecluster.Cluster, _ *lab.Env, _ context.CancelFunc) {
			c.NamespaceErr = errors.New("connection refused")
		}, scenario.Broken, "connection refused"},
		"no ingress": {func(_ *fakecluster.Cluster, e *lab.Env, _ context.CancelFunc) { e.HTTP = deadEnd(t) }, scenario.Broken,
			"nothing listens"},
		"interrupted": {func(_ *fakecluster.Cluster, _ *lab.Env, cancel context.CancelFunc) { cancel() }, scenario.Interrupted, "canceled"},
		"cluster without pods": {func(_ *fakecluster.Cluster, e *lab.Env, _ context.CancelFunc) {
			e.Capabilities = cluster.Missing{cluster.Pods: "no containers"}
		}, scenario.Skipped, "requires pods: no containers"},
	} {
		t.Run(name, func(t *testing.T) {
			c, env := environment(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tc.prepare(c, &env, cancel)
			l := hostRouting(t)
			l.Tasks = l.Tasks[2:]
			report, err := lab.Run(ctx, l, env)
			if report.Outcome != tc.outcome || !strings.Contains(report.Reason, tc.reason) || (err != nil) != (tc.outcome == scenario.Broken) {
				t.Errorf("%s: %q, error %v; want %s with %q", report.Outcome, report.Reason, err, tc.outcome, tc.reason)
			}
		})
	}
}
