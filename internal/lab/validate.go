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
			c.fault(fmt.Sprintf("requires[%d]", i), "unknown capability %q", capability)
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
		c.fault("tasks", "is missing; a lab needs at least one task")
		return
	}
	ids := map[string]bool{}
	for i, task := range tasks {
		path := fmt.Sprintf("tasks[%d]", i)
		switch {
		case len(validation.IsDNS1123Label(task.ID)) > 0:
			c.fault(path+".id", "%q is not an ID; use lower-case letters, digits, and hyphens", task.ID)
		case ids[task.ID]:
			c.fault(path+".id", "another task also has the ID %q", task.ID)
		}
		ids[task.ID] = true
		if strings.TrimSpace(task.Title) == "" {
			c.fault(path+".title", "is missing; describe the state after the task")
		}
		c.faults = append(c.faults, scenario.ValidateCheck(c.file, c.positions, path+".check", task.Check)...)
	}
	if !slices.ContainsFunc(tasks, func(t Task) bool { return !t.PassesAtStart }) {
		c.fault("tasks", "need at least one task without passesAtStart")
	}
}

// badNamespace returns the reason why a namespace is invalid for a lab.
func badNamespace(name string) string {
	switch {
	case len(validation.IsDNS1123Label(name)) > 0:
		return fmt.Sprintf("%q is not a valid namespace name", name)
	case !strings.HasPrefix(name, "lab-"):
		return fmt.Sprintf("%q does not start with lab-", name)
	}
	return ""
}

func (l *Lab) validateObjects(manifests []scenario.Manifest) strictyaml.Diagnostics {
	var faults strictyaml.Diagnostics
	seen := map[key]bool{}
	for _, m := range manifests {
		for _, o := range m.Objects {
			if seen[keyOf(o)] {
				faults = append(faults, m.Fault(o, "metadata.name", "is a duplicate"))
			}
			seen[keyOf(o)] = true
			if !hasValidNamespace(o) {
				faults = append(faults, m.Fault(o, "metadata.namespace",
					"must be omitted; the lab's namespace is %s (in %s, a lab can change ConfigMap %s and create objects of kind %s)",
					l.Namespace, ControllerNamespace, ControllerConfigMap, strings.Join(sharedKinds, ", ")))
			}
			if !slices.Contains(ownableKinds(), o.GetKind()) {
				faults = append(faults, m.Fault(o, "kind", "is a kind that a lab cannot create; use one of %s", strings.Join(ownableKinds(), ", ")))
			}
		}
	}
	return faults
}

// hasValidNamespace reports whether a lab can create an object in the object's namespace.
func hasValidNamespace(o *unstructured.Unstructured) bool {
	return o.GetNamespace() == "" || isConfig(o) || o.GetNamespace() == ControllerNamespace && slices.Contains(sharedKinds, o.GetKind())
}
