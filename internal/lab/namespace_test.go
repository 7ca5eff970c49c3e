package lab

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
)

func ingress(name, label string, managers ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"kind": "Ingress"}}
	o.SetName(name)
	if label != "" {
		o.SetLabels(map[string]string{Label: label})
	}
	o.SetManagedFields(managers)
	return o
}

func manager(name, subresource string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: name, Subresource: subresource}
}

func TestPlan(t *testing.T) {
	ours, update := manager(kube.FieldManager, ""), manager(kube.FieldManager, "")
	update.Operation = metav1.ManagedFieldsOperationUpdate
	for name, tc := range map[string]struct {
		present *unstructured.Unstructured
		want    string
	}{
		"unchanged":                          {ingress("wanted", "x", ours), "apply"},
		"with its status written":            {ingress("wanted", "x", ours, manager("ingress-controller", "status")), "apply"},
		"with the deployment's revision":     {ingress("wanted", "x", ours, manager("kube-controller-manager", "")), "apply"},
		"edited":                             {ingress("wanted", "x", ours, manager("kubectl-edit", "")), "recreate"},
		"scaled":                             {ingress("wanted", "x", ours, manager("kubectl", "scale")), "recreate"},
		"made by the student":                {ingress("wanted", "", manager("kubectl-create", "")), "recreate"},
		"of the lab, not wanted":             {ingress("other", "x", ours), "prune"},
		"patched by the lab itself":          {ingress("wanted", "x", update), "recreate"},
		"of the solution, by the student":    {ingress("later", "", manager("kubectl-create", "")), "prune"},
		"of another lab":                     {ingress("other", "y", ours), "foreign"},
		"of the student, under its own name": {ingress("other", ""), "foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			named := []*unstructured.Unstructured{ingress("wanted", "x"), ingress("later", "x")}
			p := newPlan("x", named[:1], named, []*unstructured.Unstructured{tc.present})
			got := "apply"
			for what, objects := range map[string][]*unstructured.Unstructured{"recreate": p.recreate, "prune": p.prune, "foreign": p.foreign} {
				if slices.Contains(objects, tc.present) {
					got = what
				}
			}
			if got != tc.want || len(p.apply) != 1 {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestTally(t *testing.T) {
	objects := []*unstructured.Unstructured{ingress("a", ""), ingress("b", ""), {Object: map[string]any{"kind": "Service"}}}
	if got := tally(objects); got != "2 ingresses, 1 service" {
		t.Errorf("tally is %q", got)
	}
}

// Exclusive labs tolerate each other if both have locks and share none.
func TestExclusiveLabsTolerateOtherLocks(t *testing.T) {
	labels := func(exclusive bool, locks ...string) map[string]string {
		return (&Lab{Name: "other", FrontMatter: FrontMatter{Exclusive: exclusive, Locks: locks}}).labels()
	}
	routes := &Lab{FrontMatter: FrontMatter{Exclusive: true, Locks: []string{"routes"}}}
	for name, c := range map[string]struct {
		lab   *Lab
		other map[string]string
		want  bool
	}{
		"other locks":         {routes, labels(true, "settings", "ports"), true},
		"common lock":         {routes, labels(true, "settings", "routes"), false},
		"other without locks": {routes, labels(true), false},
		"this without locks":  {&Lab{FrontMatter: FrontMatter{Exclusive: true}}, labels(true, "settings"), false},
		"this not exclusive":  {&Lab{FrontMatter: FrontMatter{Locks: []string{"routes"}}}, labels(true, "settings"), false},
	} {
		if got := c.lab.tolerates(c.other); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
