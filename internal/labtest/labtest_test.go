package labtest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/labtest"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// brief are the timeouts for a cluster with immediate effects.
var brief = labtest.Timeouts{
	Ready: time.Second, Settle: 300 * time.Millisecond, Failure: 500 * time.Millisecond, Advice: 100 * time.Millisecond, Gone: time.Second,
}

// fixture writes the lab of good.txtar, replaces files with those of other archives, and returns
// the lab with the wants of the last archive.
func fixture(t *testing.T, archives ...string) (*lab.Lab, []string) {
	t.Helper()
	dir := t.TempDir()
	var want []string
	for _, archive := range append([]string{"testdata/good.txtar"}, archives...) {
		a, err := txtar.ParseFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if f.Name == "want" {
				want = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
				continue
			}
			path := filepath.Join(dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	l, err := lab.Load(filepath.Join(dir, "01-shop"))
	if err != nil {
		t.Fatal(err)
	}
	return l, want
}

// environment returns an Env of a cluster whose API server rejects invalid hosts.
func environment(t *testing.T) labtest.Env {
	t.Helper()
	c, http := fakecluster.New(t)
	c.ApplyErr = func(o *unstructured.Unstructured) error {
		rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
		for _, rule := range rules {
			if host, _, _ := unstructured.NestedString(rule.(map[string]any), "host"); strings.Contains(host, ":") {
				return errors.New("spec.rules[0].host: is not a host")
			}
		}
		return nil
	}
	return labtest.Env{
		Env:      lab.Env{Env: scenario.Env{Kube: c, HTTP: http}, Addresses: cluster.Addresses{HTTP: "127.0.0.1:8080", HTTPS: "127.0.0.1:8443"}},
		NoVerify: "nothing can be played here", Timeouts: brief,
	}
}

// tested tests one lab and returns its item.
func tested(t *testing.T, l *lab.Lab, env labtest.Env) *labtest.Item {
	t.Helper()
	place := &labtest.ClusterReport{Provider: "fake", Started: time.Now()}
	labtest.Here(t.Context(), labtest.Plan{Labs: []*lab.Lab{l}}, env, place)
	if len(place.Items) != 1 {
		t.Fatalf("%d items", len(place.Items))
	}
	return place.Items[0]
}

// faultsOf lists diagnostics as KIND: FILE:LINE: TEXT, and parts that could not be evaluated as
// KIND: REASON.
func faultsOf(l *lab.Lab, item *labtest.Item) []string {
	var lines []string
	for _, part := range item.Parts {
		for _, fault := range part.Faults {
			lines = append(lines, part.Kind+": "+strings.TrimPrefix(fault.String(), filepath.Dir(l.Dir)+"/"))
		}
		if part.Outcome == scenario.Broken {
			lines = append(lines, part.Kind+": could not run: "+part.Reason)
		}
	}
	return lines
}

func TestValidLabPasses(t *testing.T) {
	t.Parallel()
	l, _ := fixture(t)
	item := tested(t, l, environment(t))
	if item.Outcome != scenario.Passed {
		t.Fatalf("%s:\n%s", item.Outcome, strings.Join(faultsOf(l, item), "\n"))
	}
	seen := map[string]string{}
	for _, part := range item.Parts {
		seen[part.Kind+" "+part.Text] = part.Seen
		if part.Kind != labtest.KindLesson && part.Outcome != scenario.Passed {
			t.Errorf("%s: %s %s", part.Text, part.Outcome, part.Reason)
		}
	}
	for part, want := range map[string]string{
		"start fails at the start":                      "1 task not done",
		"solution passes with solution/":                "1 task solved, 2 checks passed at the end",
		"reset reset returns to start/":                 "2 objects as at the start",
		"mutant the other service":                      "hint other-service",
		"mutant a host with a port":                     "refused: is not a host",
		"hints each hint appears":                       "1 of 1 given",
		"reset removing the lab leaves nothing behind":  "",
		"lesson the lesson's outputs match the cluster": "",
	} {
		if got, ok := seen[part]; !ok || !strings.Contains(got, want) {
			t.Errorf("of %q was seen %q, want %q", part, got, want)
		}
	}
}

// TestLabErrorsAreReported tests labs with errors. Each line of an archive's want is the start of
// one diagnostic.
func TestLabErrorsAreReported(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, archive := range archives {
		if filepath.Base(archive) == "good.txtar" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			t.Parallel()
			l, want := fixture(t, archive)
			item := tested(t, l, environment(t))
			expect(t, faultsOf(l, item), want)
			if item.Outcome != scenario.Failed {
				t.Errorf("the outcome is %s", item.Outcome)
			}
		})
	}
}

// expect compares lines with their expected prefixes.
func expect(t *testing.T, got, want []string) {
	t.Helper()
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = strings.HasPrefix(got[i], want[i])
	}
	if !same {
		t.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// untidy is a session whose reset keeps the student's changes.
type untidy struct {
	labtest.Session
	started bool
}

func (u *untidy) Start(ctx context.Context) ([]string, error) {
	if u.started {
		return nil, nil
	}
	u.started = true
	return u.Session.Start(ctx)
}

func (u *untidy) Reset(context.Context) ([]string, error) { return nil, nil }

func TestIncompleteResetIsReported(t *testing.T) {
	t.Parallel()
	l, _ := fixture(t)
	l.Mutants = nil
	env := environment(t)
	env.Session = func(l *lab.Lab) labtest.Session { return &untidy{Session: lab.NewSession(l, env.Env)} }
	expect(t, faultsOf(l, tested(t, l, env)), []string{
		"reset: 01-shop/lesson.md:10: task open: the check passes before the task is done",
		"reset: 01-shop/lesson.md:4: after the reset, ingress/shop is in namespace lab-1, but not in start/",
		"hints: 01-shop/lesson.md:16: hint other-service: it appears neither at the start nor for any mutant: its check (when) never passed",
	})
}

// keeper is a session that removes nothing.
type keeper struct{ labtest.Session }

func (keeper) Withdraw(context.Context) error { return nil }

func (keeper) Remove(context.Context) error { return nil }

func TestIncompleteRemovalIsReported(t *testing.T) {
	t.Parallel()
	l, _ := fixture(t)
	env := environment(t)
	env.Session = func(l *lab.Lab) labtest.Session { return keeper{lab.NewSession(l, env.Env)} }
	expect(t, faultsOf(l, tested(t, l, env)), []string{
		"reset: 01-shop/lesson.md:4: after the lab was removed, service/other in namespace lab-1 still exists",
		"reset: 01-shop/lesson.md:4: after the lab was removed, service/shop in namespace lab-1 still exists",
	})
}

// In an existing cluster, a lab whose namespace exists does not run.
func TestExistingNamespaceIsUntouched(t *testing.T) {
	t.Parallel()
	l, _ := fixture(t)
	env := environment(t)
	env.Existing = true
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "lab-1"}}
	if _, err := env.Kube.Clientset().CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	item := tested(t, l, env)
	expect(t, faultsOf(l, item), []string{"start: could not run: namespace lab-1 already exists"})
	if left := env.Kube.(*fakecluster.Cluster).Objects(); len(left) > 0 || item.Outcome != scenario.Broken {
		t.Errorf("%s; in the cluster there are now %v", item.Outcome, left)
	}
}

// A lab or a mutant that the cluster does not support is skipped with the reason.
func TestSkipHasReason(t *testing.T) {
	t.Parallel()
	l, _ := fixture(t)
	env := environment(t)
	env.Capabilities = cluster.Missing{cluster.Nodes: "there is one node"}
	l.Mutants[1].Requires = scenario.Capabilities{cluster.Nodes}
	var text strings.Builder
	pretty := labtest.NewPretty(&text, scenario.Style{})
	env.Progress = pretty.Item
	tested(t, l, env)
	l.Requires = scenario.Capabilities{cluster.Nodes}
	if item := tested(t, l, env); item.Outcome != scenario.Skipped {
		t.Errorf("a lab that requires nodes: %s", item.Outcome)
	}
	for _, want := range []string{
		"✓ lab 1 shop: fails at the start, passes with solution/, 1 of 2 mutants caught, the cluster answers " +
			"the quiz, reset returns to start/, hints 1 of 1 given",
		"    ✓ mutant \"the other service\": task open: service: expected shop, observed other; hint other-service\n",
		"    ○ mutant \"a host with a port\": skipped: requires nodes: there is one node\n",
		"    ○ the lesson's outputs match the cluster: skipped: nothing can be played here\n",
		"○ lab 1 shop: skipped: requires nodes: there is one node\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, text.String())
		}
	}
}

// TestInterruptionIsReported cancels during a solution.
func TestInterruptionIsReported(t *testing.T) {
	t.Parallel()
	l, _ := fixture(t)
	env := environment(t)
	ctx, cancel := context.WithCancel(t.Context())
	env.Session = func(l *lab.Lab) labtest.Session { return impatient{lab.NewSession(l, env.Env), cancel} }
	place := &labtest.ClusterReport{Provider: "fake"}
	labtest.Here(ctx, labtest.Plan{Labs: []*lab.Lab{l}}, env, place)
	if place.Outcome != scenario.Interrupted || place.Items[0].Outcome != scenario.Interrupted {
		t.Errorf("the place %s, the lab %s", place.Outcome, place.Items[0].Outcome)
	}
}

// impatient is a session that cancels the test.
type impatient struct {
	labtest.Session
	cancel context.CancelFunc
}

func (i impatient) Solve(ctx context.Context, _ string) error {
	i.cancel()
	return ctx.Err()
}
