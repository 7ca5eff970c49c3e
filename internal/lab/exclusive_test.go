package lab_test

import (
	"slices"
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// The cluster has the namespaces of an exclusive lab, of another lab, and of a user.
func TestStartRemovesExclusiveLab(t *testing.T) {
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
	const want = "removed namespace lab-3 of lab default-backend, because that lab affects all others; its workspace is kept"
	if err != nil || !slices.Equal(notes, []string{want}) {
		t.Errorf("notes %q, %v", notes, err)
	}
	left := c.Namespaces()
	if slices.Sort(left); !slices.Equal(left, []string{"lab-1", "lab-5", "shop"}) {
		t.Errorf("namespaces %v", left)
	}
}

func TestLabKeepsNamespaceOfToleratedLock(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tolerates, locks []string
		exclusive        bool
		stays            bool
	}{
		"tolerated":         {tolerates: []string{"settings", "routes"}, stays: true},
		"other toleration":  {tolerates: []string{"routes"}},
		"no toleration":     {},
		"both exclusive":    {exclusive: true, locks: []string{"routes"}, stays: true},
		"same lock":         {exclusive: true, locks: []string{"settings"}},
		"lab without locks": {exclusive: true},
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
				t.Errorf("other lab kept: %t", stays)
			}
		})
	}
}

// The second start keeps the student's objects.
func TestExclusiveLabKeepsOwnNamespace(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	l := hostRouting(t)
	l.Exclusive = true
	s := begun(t, l, env)
	c.Put(t, "kubectl-create", object("ConfigMap", "notes", nil))
	notes, err := s.Start(t.Context())
	if err != nil || !slices.Equal(notes, []string{"namespace lab-1 also has objects that do not belong to the lab: configmap/notes"}) {
		t.Errorf("notes %q, %v", notes, err)
	}
	if !slices.Contains(c.Objects(), "ConfigMap lab-1/notes") {
		t.Errorf("objects %v", c.Objects())
	}
	// Another lab identifies it by its label.
	next := hostRouting(t)
	next.Name, next.Namespace = "path-routing", "lab-2"
	if notes, err = lab.NewSession(next, env).Start(t.Context()); err != nil || len(notes) != 1 || slices.Contains(c.Namespaces(), "lab-1") {
		t.Errorf("notes %q, %v; namespaces %v", notes, err, c.Namespaces())
	}
}
