package labtest

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// name returns an object's kind and name.
func name(o *unstructured.Unstructured) string {
	return strings.ToLower(o.GetKind()) + "/" + o.GetName()
}

func namesOf(objects []*unstructured.Unstructured) []string {
	var names []string
	for _, o := range objects {
		names = append(names, fmt.Sprintf("%s in namespace %s", name(o), o.GetNamespace()))
	}
	slices.Sort(names)
	return names
}

// unexpected lists objects that are only in the cluster, or only in start/.
func unexpected(l *lab.Lab, now []*unstructured.Unstructured) []string {
	wanted := map[string]bool{}
	for _, o := range l.Start {
		wanted[id(o, l.Namespace)] = true
	}
	var found []string
	there := map[string]bool{}
	for _, o := range now {
		there[id(o, l.Namespace)] = true
		if !wanted[id(o, l.Namespace)] {
			found = append(found, fmt.Sprintf("%s is in namespace %s, but not in start/", name(o), o.GetNamespace()))
		}
	}
	for _, o := range l.Start {
		if data, _, _ := unstructured.NestedMap(o.Object, "data"); o.GetKind() == "ConfigMap" && len(data) == 0 {
			continue // this object belongs to the controller, and the lab wants it empty
		}
		if !there[id(o, l.Namespace)] {
			found = append(found, fmt.Sprintf("%s is in start/, but not in the cluster", name(o)))
		}
	}
	return found
}

// id returns an object's namespace/kind/name. An object without a namespace gets the given one.
func id(o *unstructured.Unstructured, namespace string) string {
	if o.GetNamespace() != "" {
		namespace = o.GetNamespace()
	}
	return namespace + "/" + name(o)
}

// differences lists changed objects, without the fields that the cluster sets.
func differences(then, now []*unstructured.Unstructured) []string {
	var found []string
	for _, o := range now {
		i := slices.IndexFunc(then, func(t *unstructured.Unstructured) bool { return id(t, "") == id(o, "") })
		if i < 0 {
			continue // function unexpected reports this object
		}
		if path, was, is, differ := firstDifference("", canonical(then[i]), canonical(o)); differ {
			found = append(found, fmt.Sprintf("%s differs: %s is %v, and was %v", name(o), strings.TrimPrefix(path, "."), is, was))
		}
	}
	return found
}

// canonical returns an object without the fields that the cluster sets.
func canonical(o *unstructured.Unstructured) map[string]any {
	o = o.DeepCopy()
	annotations := o.GetAnnotations()
	delete(annotations, revisionAnnotation)
	delete(annotations, "deprecated.daemonset.template.generation")
	metadata := map[string]any{}
	if len(annotations) > 0 {
		metadata["annotations"] = anyMap(annotations)
	}
	if len(o.GetLabels()) > 0 {
		metadata["labels"] = anyMap(o.GetLabels())
	}
	o.Object["metadata"] = metadata
	delete(o.Object, "status")
	if spec, ok := o.Object["spec"].(map[string]any); ok && o.GetKind() == "Service" {
		if spec["clusterIP"] != "None" {
			delete(spec, "clusterIP")
			delete(spec, "clusterIPs")
		}
		delete(spec, "healthCheckNodePort")
		ports, _ := spec["ports"].([]any)
		for _, port := range ports {
			if fields, ok := port.(map[string]any); ok {
				delete(fields, "nodePort")
			}
		}
	}
	return o.Object
}

func anyMap(texts map[string]string) map[string]any {
	m := map[string]any{}
	for key, text := range texts {
		m[key] = text
	}
	return m
}

// firstDifference returns the path of the first difference between two values.
func firstDifference(path string, was, is any) (where string, before, after any, differ bool) {
	a, aIsMap := was.(map[string]any)
	b, bIsMap := is.(map[string]any)
	if aIsMap && bIsMap {
		var keys []string
		for key := range a {
			keys = append(keys, key)
		}
		for key := range b {
			if _, ok := a[key]; !ok {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			if where, before, after, differ = firstDifference(path+"."+key, a[key], b[key]); differ {
				return where, before, after, true
			}
		}
		return "", nil, nil, false
	}
	x, xIsList := was.([]any)
	y, yIsList := is.([]any)
	if xIsList && yIsList && len(x) == len(y) {
		for i := range x {
			if where, before, after, differ = firstDifference(fmt.Sprintf("%s[%d]", path, i), x[i], y[i]); differ {
				return where, before, after, true
			}
		}
		return "", nil, nil, false
	}
	return path, orAbsent(was), orAbsent(is), !reflect.DeepEqual(was, is)
}

func orAbsent(v any) any {
	if v == nil {
		return "absent"
	}
	return v
}

func workloads(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool {
		return !slices.Contains([]string{"DaemonSet", "Deployment", "Pod", "StatefulSet"}, o.GetKind())
	})
}

// places returns positions in the files of a lab.
type places struct {
	lab             *lab.Lab
	lesson, mutants string
}

func placesOf(l *lab.Lab) places {
	return places{lab: l, lesson: filepath.Join(l.Dir, lab.LessonFile), mutants: filepath.Join(l.Dir, lab.MutantsFile)}
}

func (p places) inLesson(path string) Diagnostic {
	return Diagnostic{File: p.lesson, Line: p.lab.Position(path).Line}
}

func (p places) tasks() Diagnostic { return p.inLesson("tasks") }

func (p places) hints() Diagnostic { return p.inLesson("hints") }

func (p places) quiz() Diagnostic { return p.inLesson("quiz") }

func (p places) task(id string) Diagnostic {
	for i, task := range p.lab.Tasks {
		if task.ID == id {
			return p.inLesson(fmt.Sprintf("tasks[%d].id", i))
		}
	}
	return p.tasks()
}

func (p places) hint(i int) Diagnostic { return p.inLesson(fmt.Sprintf("hints[%d].id", i)) }

func (p places) mutant(name string) Diagnostic {
	for i, m := range p.lab.Mutants {
		if m.Name == name {
			return Diagnostic{File: p.mutants, Line: p.lab.MutantPosition(fmt.Sprintf("[%d].name", i)).Line}
		}
	}
	return Diagnostic{File: p.mutants}
}
