package lab

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// checker collects the faults of a front matter.
type checker struct {
	file      string
	positions strictyaml.Positions
	faults    strictyaml.Diagnostics
}

func (c *checker) fault(path, format string, args ...any) {
	c.faults = append(c.faults, strictyaml.Diagnostic{
		File: c.file, Position: c.positions.At(path), Path: path, Message: fmt.Sprintf(format, args...),
	})
}

// validate returns everything that is wrong with the front matter.
func (l *Lab) validate(file string, positions strictyaml.Positions) strictyaml.Diagnostics {
	c := &checker{file: file, positions: positions}
	if strings.TrimSpace(l.Title) == "" {
		c.fault("title", "is missing")
	}
	if why := badNamespace(l.Namespace); why != "" {
		c.fault("namespace", "%s", why)
	}
	for i, capability := range l.Requires {
		if !slices.Contains(cluster.Requirements(), capability) {
			c.fault(fmt.Sprintf("requires[%d]", i), "nothing provides %q", capability)
		}
	}
	scenario.CheckLocks(c.fault, l.Exclusive, l.Locks, l.Tolerates)
	for i, page := range l.Open {
		if u, err := url.Parse(page); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Port() != "" {
			c.fault(fmt.Sprintf("open[%d]", i), "%q is not an http or https URL without a port", page)
		}
	}
	c.tasks(l.Tasks)
	c.hints(l)
	c.quiz(l.Quiz)
	return c.faults
}

func (c *checker) tasks(tasks []Task) {
	if len(tasks) == 0 {
		c.fault("tasks", "a lab needs tasks")
		return
	}
	ids := map[string]bool{}
	for i, task := range tasks {
		path := fmt.Sprintf("tasks[%d]", i)
		switch {
		case len(validation.IsDNS1123Label(task.ID)) > 0:
			c.fault(path+".id", "%q is not an id: lower-case letters, digits and hyphens", task.ID)
		case ids[task.ID]:
			c.fault(path+".id", "another task is called %q, too", task.ID)
		}
		ids[task.ID] = true
		if strings.TrimSpace(task.Title) == "" {
			c.fault(path+".title", "is missing: say what is true when the task is done")
		}
		c.faults = append(c.faults, scenario.ValidateCheck(c.file, c.positions, path+".check", task.Check)...)
	}
	if !slices.ContainsFunc(tasks, func(t Task) bool { return !t.PassesAtStart }) {
		c.fault("tasks", "every task is true from the start: there is nothing to do")
	}
}

// badNamespace says why a lab must not have a namespace: what it does not own there, it would be in the way of.
func badNamespace(name string) string {
	switch {
	case len(validation.IsDNS1123Label(name)) > 0:
		return fmt.Sprintf("%q is not the name of a namespace", name)
	case !strings.HasPrefix(name, "lab-"):
		return fmt.Sprintf("%q does not begin with lab-: a lab takes its namespace for itself", name)
	}
	return ""
}

// validateObjects returns what is wrong with the objects of start/ or solution/ together.
func (l *Lab) validateObjects(manifests []scenario.Manifest) strictyaml.Diagnostics {
	var faults strictyaml.Diagnostics
	seen := map[key]bool{}
	for _, m := range manifests {
		for _, o := range m.Objects {
			if seen[keyOf(o)] {
				faults = append(faults, m.Fault(o, "metadata.name", "is there twice"))
			}
			seen[keyOf(o)] = true
			if !mayLieOutside(o) {
				faults = append(faults, m.Fault(o, "metadata.namespace",
					"names a namespace: leave it out, the lab's is %s (in %s a lab may have the ConfigMap %s, and of its own: %s)",
					l.Namespace, ControllerNamespace, ControllerConfigMap, strings.Join(borrowable, ", ")))
			}
			if !slices.Contains(ownableKinds(), o.GetKind()) {
				faults = append(faults, m.Fault(o, "kind", "is of a kind that a lab cannot take back (it can: %s)", strings.Join(ownableKinds(), ", ")))
			}
		}
	}
	return faults
}

// mayLieOutside tells whether an object may have the namespace that it has.
func mayLieOutside(o *unstructured.Unstructured) bool {
	return o.GetNamespace() == "" || isConfig(o) || o.GetNamespace() == ControllerNamespace && slices.Contains(borrowable, o.GetKind())
}
