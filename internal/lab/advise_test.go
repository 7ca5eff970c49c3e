package lab_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// begun returns a session of a lab at its start.
func begun(t *testing.T, l *lab.Lab, env lab.Env) *lab.Session {
	t.Helper()
	s := lab.NewSession(l, env)
	if _, err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func asks(url string, status int) []scenario.Step {
	return []scenario.Step{{Expect: &scenario.Expect{URL: url, Status: status}}}
}

// Ingress cheddar has a wrong host and an unknown class. The lab has a hint only for the host.
func TestAdviseMatchesFindings(t *testing.T) {
	t.Parallel()
	l := hostRouting(t)
	const asked = "http://cheddar.localhost/"
	l.Hints = []lab.Hint{
		{ID: "nothing-there", When: asks(asked, 404), Levels: []string{"{{.Field}} is {{.Observed}} and not {{.Expected}}"}},
		{ID: "a-page-is-there", When: asks(asked, 200), Levels: []string{"not so"}},
		{ID: "of-another-task", Tasks: []string{"stilton"}, Finding: diagnosis.HostUnmatched, Levels: []string{"not asked for"}},
		{ID: "of-another-object", Finding: diagnosis.HostUnmatched, Object: "ingress/stilton", Levels: []string{"not its fault"}},
		{ID: "of-another-fault", Finding: diagnosis.ServiceMissing, Levels: []string{"not there"}},
		{
			ID: "host", Tasks: []string{"stilton", "cheddar"}, Finding: diagnosis.HostUnmatched, Object: "Ingress/Cheddar",
			Levels: []string{"which host?", "{{.Object}} has {{.Observed}} in {{.Field}}", "{{.Expected}}"},
		},
	}
	l.Tasks[2].DefaultHints = []string{"How would you begin?", "Like this."}
	_, env := environment(t)
	all, err := begun(t, l, env).Advise(t.Context(), "cheddar")
	if err != nil || len(all) != 5 {
		t.Fatalf("%d items of advice, %v: %+v", len(all), err, all)
	}
	for i, want := range []lab.Advice{
		{Hint: "nothing-there", Levels: []string{"status is 404 Not Found and not 200 OK"}},
		{Hint: "host", Levels: []string{"which host?", "ingress/cheddar has cheddar.1.2.3.4.nip.io in spec.rules[0].host", "cheddar.localhost"}},
	} {
		if all[i].Hint != want.Hint || !slices.Equal(all[i].Levels, want.Levels) {
			t.Errorf("advice %d is %q %q, want %q %q", i+1, all[i].Hint, all[i].Levels, want.Hint, want.Levels)
		}
	}
	if all[0].Finding != nil || all[1].Finding == nil || all[1].Finding.Code != diagnosis.HostUnmatched {
		t.Errorf("the hints are for %+v and %+v", all[0].Finding, all[1].Finding)
	}
	// The lab has nothing to say about the class, so the finding speaks for itself, and once.
	if f := all[2].Finding; f == nil || f.Code != diagnosis.ClassUnknown || all[2].Hint != "" || !slices.Equal(all[2].Levels, f.Levels()) {
		t.Errorf("the advice without a hint is %+v", all[2])
	}
	if all[3].Hint != "" || all[3].Finding != nil || !slices.Equal(all[3].Levels, l.Tasks[2].DefaultHints) {
		t.Errorf("the default hint is %+v", all[3])
	}
	seen := strings.Join(all[4].Levels, "\n")
	for _, want := range []string{"status: expected 200 OK, observed 404 Not Found", "controller: no rule for host cheddar.localhost"} {
		if !strings.Contains(seen, want) {
			t.Errorf("the comparison lacks %q:\n%s", want, seen)
		}
	}
}

func TestAdviseRepeatsHintForEachObject(t *testing.T) {
	t.Parallel()
	l := hostRouting(t)
	l.Hints = []lab.Hint{{ID: "letters", Finding: diagnosis.AnnotationUnknown, Levels: []string{"{{.Object}}"}}}
	c, env := environment(t)
	s := begun(t, l, env)
	class := object("IngressClass", "ingresslab", map[string]any{"spec": map[string]any{"controller": "ingresslab.dev/ingress-controller"}})
	class.SetNamespace("")
	c.Put(t, "kubectl", class)
	for _, name := range []string{"cheddar", "mine"} {
		i := ingressFor(name, name+".1.2.3.4.nip.io", "cheddar")
		i.SetAnnotations(map[string]string{"nginx.ingress.kubernetes.io/afinity": "cookie"})
		c.Put(t, "kubectl", i)
	}
	all, err := s.Advise(t.Context(), "cheddar")
	if err != nil {
		t.Fatal(err)
	}
	var objects []string
	for _, a := range all {
		if a.Hint == "letters" {
			objects = append(objects, a.Levels...)
		} else if a.Finding != nil && a.Finding.Code == diagnosis.AnnotationUnknown {
			t.Errorf("a finding with a hint appears twice: %+v", a)
		}
	}
	if slices.Sort(objects); !slices.Equal(objects, []string{"ingress/cheddar", "ingress/mine"}) {
		t.Errorf("the hint names %v", objects)
	}
}

func TestAdviseForFinishedTask(t *testing.T) {
	t.Parallel()
	_, env := environment(t)
	all, err := begun(t, hostRouting(t), env).Advise(t.Context(), "no-other-host")
	if err != nil || len(all) != 1 || all[0].Levels[0] != "The task is done: GET http://gouda.localhost/ answers 404." {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAdviseErrors(t *testing.T) {
	t.Parallel()
	l := hostRouting(t)
	_, env := environment(t)
	s := begun(t, l, env)
	var unknown *lab.UnknownTaskError
	if _, err := s.Advise(t.Context(), "chedar"); !errors.As(err, &unknown) || unknown.Nearest != "cheddar" {
		t.Errorf("unknown task: %v", err)
	}
	l.Hints = []lab.Hint{{ID: "torn", Finding: diagnosis.HostUnmatched, Levels: []string{"fine", "{{.Nothing}}"}}}
	if _, err := s.Advise(t.Context(), "cheddar"); err == nil || !strings.Contains(err.Error(), "level 2 of hint torn") {
		t.Errorf("invalid level: %v", err)
	}
}
