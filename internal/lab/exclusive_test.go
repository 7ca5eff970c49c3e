package lab_test

import (
	"slices"
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// TestAnExclusiveLabEndsWhenAnotherBegins has the namespaces of three labs: an exclusive one, one that is not, and a person's.
func TestAnExclusiveLabEndsWhenAnotherBegins(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	exclusive := map[string]string{lab.Label: "default-backend", lab.LabelExclusive: "true"}
	for name, labels := range map[string]map[string]string{
		"lab-3": exclusive, "lab-5": {lab.Label: "scaling"}, "shop": {"team": "blue"},
	} {
		if err := c.EnsureNamespace(t.Context(), name, labels); err != nil {
			t.Fatal(err)
		}
	}
	notes, err := lab.NewSession(hostRouting(t), env).Start(t.Context())
	const want = "lab default-backend changes what every other lab meets: its namespace lab-3 is removed (the files in its workspace stay)"
	if err != nil || !slices.Equal(notes, []string{want}) {
		t.Errorf("the notes are %q, %v", notes, err)
	}
	left := c.Namespaces()
	if slices.Sort(left); !slices.Equal(left, []string{"lab-1", "lab-5", "shop"}) {
		t.Errorf("there are the namespaces %v", left)
	}
}

// TestALabStandsBesideWhatItBears starts a lab beside an exclusive one that says what it locks.
func TestALabStandsBesideWhatItBears(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tolerates, locks []string
		exclusive        bool
		stays            bool
	}{
		"it tolerates that":           {tolerates: []string{"settings", "routes"}, stays: true},
		"it tolerates something else": {tolerates: []string{"routes"}},
		"it tolerates nothing":        {},
		"both are exclusive":          {exclusive: true, locks: []string{"routes"}, stays: true},
		"both claim the same":         {exclusive: true, locks: []string{"settings"}},
		"it does not say what it is":  {exclusive: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, env := environment(t)
			labels := map[string]string{lab.Label: "sticky-sessions", lab.LabelExclusive: "true", "lock.ingresslab.dev/settings": "true"}
			if err := c.EnsureNamespace(t.Context(), "lab-6", labels); err != nil {
				t.Fatal(err)
			}
			l := hostRouting(t)
			l.Exclusive, l.Locks, l.Tolerates = tc.exclusive, tc.locks, tc.tolerates
			if _, err := lab.NewSession(l, env).Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if stays := slices.Contains(c.Namespaces(), "lab-6"); stays != tc.stays {
				t.Errorf("the other lab stays: %t", stays)
			}
		})
	}
}

// TestAnExclusiveLabKeepsItsOwnNamespace starts one twice: what the student has in it stays.
func TestAnExclusiveLabKeepsItsOwnNamespace(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	l := hostRouting(t)
	l.Exclusive = true
	s := begun(t, l, env)
	c.Put(t, "kubectl-create", object("ConfigMap", "notes", nil))
	notes, err := s.Start(t.Context())
	if err != nil || !slices.Equal(notes, []string{"namespace lab-1 also holds configmap/notes: not the lab's, left alone"}) {
		t.Errorf("the notes are %q, %v", notes, err)
	}
	if !slices.Contains(c.Objects(), "ConfigMap lab-1/notes") {
		t.Errorf("there are %v", c.Objects())
	}
	// Another lab knows it by its label.
	next := hostRouting(t)
	next.Name, next.Namespace = "path-routing", "lab-2"
	if notes, err = lab.NewSession(next, env).Start(t.Context()); err != nil || len(notes) != 1 || slices.Contains(c.Namespaces(), "lab-1") {
		t.Errorf("the notes are %q, %v, and there are %v", notes, err, c.Namespaces())
	}
}
