package prove_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/prove"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/scenario/fakecluster"
)

// brief is the patience with a cluster in which everything is in force at once.
var brief = prove.Patience{
	Ready: time.Second, Settle: 300 * time.Millisecond, Refute: 500 * time.Millisecond, Advice: 100 * time.Millisecond, Gone: time.Second,
}

// fixture writes the lab of good.txtar with the files of other archives instead of its own, and returns it with what the last
// archive wants.
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

// environment is a cluster whose API server knows what a host is.
func environment(t *testing.T) prove.Env {
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
	return prove.Env{
		Env:      lab.Env{Env: scenario.Env{Kube: c, HTTP: http}, Addresses: cluster.Addresses{HTTP: "127.0.0.1:8080", HTTPS: "127.0.0.1:8443"}},
		NoVerify: "nothing can be played here", Patience: brief,
	}
}

// proven proves one lab and returns what became of it.
func proven(t *testing.T, l *lab.Lab, env prove.Env) *prove.Item {
	t.Helper()
	place := &prove.Place{Provider: "fake", Started: time.Now()}
	prove.Here(t.Context(), prove.Plan{Labs: []*lab.Lab{l}}, env, place)
	if len(place.Items) != 1 {
		t.Fatalf("%d items", len(place.Items))
	}
	return place.Items[0]
}

// faultsOf lists faults as KIND: FILE:LINE: TEXT, and what could not be judged as KIND: REASON.
func faultsOf(l *lab.Lab, item *prove.Item) []string {
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

func TestAGoodLabIsProven(t *testing.T) {
	t.Parallel()
	l, _ := fixture(t)
	item := proven(t, l, environment(t))
	if item.Outcome != scenario.Passed {
		t.Fatalf("%s:\n%s", item.Outcome, strings.Join(faultsOf(l, item), "\n"))
	}
	seen := map[string]string{}
	for _, part := range item.Parts {
		seen[part.Kind+" "+part.Text] = part.Seen
		if part.Kind != prove.KindLesson && part.Outcome != scenario.Passed {
			t.Errorf("%s: %s %s", part.Text, part.Outcome, part.Reason)
		}
	}
	for part, want := range map[string]string{
		"start fails from start/":                               "1 task not done",
		"solution passes with solution/":                        "1 task solved, 2 checks hold at the end",
		"reset reset returns to start/":                         "2 objects as at the start",
		"mutant the other service":                              "hint other-service",
		"mutant a host with a port":                             "refused: is not a host",
		"hints every hint is given when its fault is there":     "1 of 1 given",
		"reset removing the lab leaves nothing behind":          "",
		"lesson the lesson's outputs are what the cluster says": "",
	} {
		if got, ok := seen[part]; !ok || !strings.Contains(got, want) {
			t.Errorf("of %q was seen %q, want %q", part, got, want)
		}
	}
}

// TestWhatIsWrongWithALabIsNamed proves the prover: each archive is a lab with something wrong in it, and every line of its want
// begins a fault that has to be found. There must be no other.
func TestWhatIsWrongWithALabIsNamed(t *testing.T) {
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
			item := proven(t, l, environment(t))
			expect(t, faultsOf(l, item), want)
			if item.Outcome != scenario.Failed {
				t.Errorf("the outcome is %s", item.Outcome)
			}
		})
	}
}

// expect compares lines with how they have to begin.
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

// untidy is a session whose reset leaves what the student has made and changed.
type untidy struct {
	prove.Session
	started bool
}

func (u *untidy) Start(ctx context.Context) ([]string, error) {
	if u.started {
		return nil, nil
	}
	u.started = true
	return u.Session.Start(ctx)
}

func TestAResetThatLeavesThingsIsNamed(t *testing.T) {
	t.Parallel()
	l, _ := fixture(t)
	l.Mutants = nil
	env := environment(t)
	env.Session = func(l *lab.Lab) prove.Session { return &untidy{Session: lab.NewSession(l, env.Env)} }
	expect(t, faultsOf(l, proven(t, l, env)), []string{
		"reset: 01-shop/lesson.md:10: task open: the check holds from start/ already",
		"reset: 01-shop/lesson.md:4: after the reset, ingress/shop is in namespace lab-1, and not in start/",
		"hints: 01-shop/lesson.md:16: hint other-service: it is given neither from start/ nor for any mutant: its check (when) never held",
	})
}
