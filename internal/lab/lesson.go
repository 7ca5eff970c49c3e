package lab

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Lab is one lesson and everything that belongs to it.
type Lab struct {
	// Number and Name are from the directory's name: 1 and host-routing from 01-host-routing.
	Number int
	Name   string
	// Dir is the directory, as it was given to Load.
	Dir string
	FrontMatter
	// Text is the lesson itself, Markdown without the front matter.
	Text string
	// Start is what the namespace holds when the student begins.
	Start []*unstructured.Unstructured
	// Solution is what the student's changes come to. Its objects replace those of Start that have the same kind and name.
	Solution []*unstructured.Unstructured
}

// FrontMatter is the YAML between the --- lines at the top of a lesson.md.
type FrontMatter struct {
	// Title is what the lab is called.
	Title string `yaml:"title"`
	// Namespace is where the student works. It stays when the lab is over.
	Namespace string `yaml:"namespace"`
	// Scenario names the scenario that tests the same subject in depth; empty if there is none.
	Scenario string `yaml:"scenario"`
	// Requires is what the cluster must be able to do.
	Requires scenario.Capabilities `yaml:"requires"`
	// Open are the pages to look at when the lab is solved, as URLs without a port.
	Open []string `yaml:"open"`
	// Tasks are what the student does, in this order.
	Tasks []Task `yaml:"tasks"`
}

// Task is one thing to do, and how to see that it is done.
type Task struct {
	// ID names the task within the lab. It stays when the title changes.
	ID string `yaml:"id"`
	// Title says what is true when the task is done.
	Title string `yaml:"title"`
	// StartsTrue marks a task that start/ has done already. Any other task's check must not hold from start/.
	StartsTrue bool `yaml:"startsTrue"`
	// Check holds when the task is done. Its verbs are expect and wait; hosts are taken as they are.
	Check []scenario.Step `yaml:"check"`
}

// Label marks the objects that a lab has made; its value is the lab's name.
const Label = "ingresslab.dev/lab"

// solved returns what the namespace holds when the lab is solved: Start, with what Solution replaces and adds.
func (l *Lab) solved() []*unstructured.Unstructured {
	objects := append([]*unstructured.Unstructured{}, l.Solution...)
	for _, o := range l.Start {
		if find(l.Solution, keyOf(o)) == nil {
			objects = append(objects, o)
		}
	}
	return objects
}

// key names an object within a namespace.
type key struct{ kind, name string }

func (k key) String() string { return fmt.Sprintf("%s %s", k.kind, k.name) }

func keyOf(o *unstructured.Unstructured) key { return key{o.GetKind(), o.GetName()} }

func find(objects []*unstructured.Unstructured, k key) *unstructured.Unstructured {
	for _, o := range objects {
		if keyOf(o) == k {
			return o
		}
	}
	return nil
}
