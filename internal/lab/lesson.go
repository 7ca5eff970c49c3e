package lab

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
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
	// TextLine is the line of the lesson's file in which Text begins, counted from 1.
	TextLine int
	// Start is what the namespace holds when the student begins.
	Start []*unstructured.Unstructured
	// Solution is what the student's changes come to. Its objects replace those of Start that have the same kind and name.
	Solution []*unstructured.Unstructured
	// Mutants are what mutants.yaml holds: wrong answers, each of which has to be caught.
	Mutants []Mutant

	// files are the manifests of solution/ by the names that solutions call them by, mutantFiles those of mutants/.
	files, mutantFiles map[string]scenario.Manifest
	// positions are where the fields of the front matter stand in lesson.md, mutantPositions those of mutants.yaml.
	positions, mutantPositions strictyaml.Positions
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
	// Exclusive says that the lab changes what other labs see. Only exclusive labs with other locks can keep their namespaces.
	Exclusive bool `yaml:"exclusive"`
	// Locks names what the cluster has only one of and the lab changes, in lower-case letters, digits and hyphens. Labs and
	// scenarios with a lock in common are not tested in parallel.
	Locks scenario.Strings `yaml:"locks"`
	// Tolerates names the locks of exclusive labs and scenarios that change nothing that this lab's student sees.
	Tolerates scenario.Strings `yaml:"tolerates"`
	// Tasks are what the student does, in this order.
	Tasks []Task `yaml:"tasks"`
	// Hints answer what is observed while a task is not done. They are looked at in this order, for every task that they name.
	Hints []Hint `yaml:"hints"`
	// Quiz is the question at the end, which the live cluster answers.
	Quiz *Quiz `yaml:"quiz"`
}

// Task is one thing to do, and how to see that it is done.
type Task struct {
	// ID names the task within the lab. It stays when the title changes.
	ID string `yaml:"id"`
	// Title says what is true when the task is done.
	Title string `yaml:"title"`
	// PassesAtStart marks a task whose check passes at start/. The check of any other task must fail there.
	PassesAtStart bool `yaml:"passesAtStart"`
	// Check holds when the task is done. Its verbs look and change nothing: expect, wait, exec and traffic; hosts are taken as
	// they are.
	Check []scenario.Step `yaml:"check"`
	// Solution is what solves the task, after the tasks before it: steps that change something (apply with files of solution/,
	// patch, scale, delete, rollout, certificate, fault). Without it, everything in solution/ is applied.
	Solution []scenario.Step `yaml:"solution"`
	// Transient marks a check that holds only until a later task is done: a Deployment is scaled to nothing, and up again.
	Transient bool `yaml:"transient"`
	// DefaultHints are the hint levels if no hint matches a finding, from a question to the answer.
	DefaultHints []string `yaml:"defaultHints"`
}

// Hint answers one fault. It is given when the fault is there, and as often as the student asks, a tier at a time.
type Hint struct {
	// ID names the hint within the lab.
	ID string `yaml:"id"`
	// Tasks are the ids of the tasks that the fault stands in the way of; all if not given.
	Tasks []string `yaml:"tasks"`
	// Finding is a code of package diagnosis, such as "class-unknown". Object restricts it to one object.
	Finding string `yaml:"finding"`
	// Object is the object that has the fault, as KIND/NAME; any if not given.
	Object string `yaml:"object"`
	// When is for faults that package diagnosis cannot know: a check that holds while the fault is there.
	When []scenario.Step `yaml:"when"`
	// Levels are what to say, each more open than the one before: a question, a pointer, the answer. In them, {{.Object}},
	// {{.Field}}, {{.Observed}}, {{.Expected}} and {{.Text}}, a sentence that says it all, are those of the fault.
	Levels []string `yaml:"levels"`
}

// Quiz is a question about the state in which the lab ends. What is right is not written down: the cluster is asked.
type Quiz struct {
	// Question is what is asked: "Which pod answers next, and why?"
	Question string `yaml:"question"`
	// Before are steps that come before the truth is looked for, such as a request in the same session. They look only.
	Before []scenario.Step `yaml:"before"`
	// Request is the request whose answer is the truth; goes with Answer.
	Request *scenario.Expect `yaml:"request"`
	// Answer is the part of the answer that is asked for: status, app, pod, service, "header NAME" or body.
	Answer string `yaml:"answer"`
	// Object and JSONPath are the field that is the truth, instead of a request.
	Object   string `yaml:"object"`
	JSONPath string `yaml:"jsonpath"`
	// Choices are what to choose from; what the cluster says has to be one of them.
	Choices []string `yaml:"choices"`
	// PodsOf is a Service whose pods are the choices, instead.
	PodsOf string `yaml:"podsOf"`
	// Why explains the truth, whatever was chosen.
	Why string `yaml:"why"`
}

// Mutant is one plausible wrong answer: the solution with something wrong in it. It is an item of mutants.yaml.
type Mutant struct {
	// Name says what is wrong, in a few words.
	Name string `yaml:"name"`
	// Patch, Apply and Omit change the objects of solution/, as in a scenario's mutant; the files of Apply are in mutants/.
	Patch []scenario.Patch `yaml:"patch"`
	Apply scenario.Strings `yaml:"apply"`
	Omit  scenario.Strings `yaml:"omit"`
	// Steps replace the task's own solution.
	Steps []scenario.Step `yaml:"steps"`
	// Refused is text of the refusal, for an answer that the API server does not take.
	Refused string `yaml:"refused"`
	// Task is the id of the task that must not be done then. The tasks before it are solved as they should be.
	Task string `yaml:"task"`
	// Hint is the id of the hint, or the code of the fault, that has to come.
	Hint string `yaml:"hint"`
	// Requires is what the cluster must be able to do for the mistake to show.
	Requires scenario.Capabilities `yaml:"requires"`
}

// Label marks the objects and the namespace that a lab has made; its value is the lab's name. LabelExclusive marks the namespace of
// a lab that changes what other labs see; its value is "true". Beside it, such a lab has a label for each of its locks, as
// the namespaces of scenarios have.
const (
	Label          = "ingresslab.dev/lab"
	LabelExclusive = "ingresslab.dev/exclusive"
)

// Task returns the task of an id; the error is an *UnknownTaskError.
func (l *Lab) Task(id string) (Task, error) {
	for _, t := range l.Tasks {
		if t.ID == id {
			return t, nil
		}
	}
	known := l.taskIDs()
	return Task{}, &UnknownTaskError{Lab: l, ID: id, Nearest: strictyaml.Nearest(id, known), Known: known}
}

// UnknownTaskError says that a lab has no task of an id.
type UnknownTaskError struct {
	Lab *Lab
	ID  string
	// Nearest is the id that was probably meant; empty if none is near.
	Nearest string
	Known   []string
}

// Error names what was meant or, failing that, what there is.
func (e *UnknownTaskError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("lab %d has no task %q (did you mean %q?)", e.Lab.Number, e.ID, e.Nearest)
	}
	return fmt.Sprintf("lab %d has no task %q, its tasks are %s", e.Lab.Number, e.ID, strings.Join(e.Known, ", "))
}

// Named returns the objects that the lab's manifests and solutions name, in the lab's namespace unless they say otherwise: those
// of start/, of solution/, of mutants/, and the Secrets that solutions make. An object of such a name is the lab's, whoever made it.
func (l *Lab) Named() []*unstructured.Unstructured {
	all := append(slices.Clone(l.Start), l.Solution...)
	for _, name := range slices.Sorted(maps.Keys(l.mutantFiles)) {
		all = append(all, l.mutantFiles[name].Objects...)
	}
	for _, steps := range l.changes() {
		for _, step := range steps {
			if step.Certificate != nil && step.Certificate.Secret != "" {
				secret := &unstructured.Unstructured{}
				secret.SetAPIVersion("v1")
				secret.SetKind("Secret")
				secret.SetName(step.Certificate.Secret)
				all = append(all, secret)
			}
		}
	}
	return l.own(all)
}

// changes are all the steps of the lab that change something.
func (l *Lab) changes() [][]scenario.Step {
	var all [][]scenario.Step
	for _, t := range l.Tasks {
		all = append(all, t.Solution)
	}
	for _, m := range l.Mutants {
		all = append(all, m.Steps)
	}
	return all
}

// key names an object of the cluster; the namespace is empty in a manifest that leaves it to the lab.
type key struct{ kind, namespace, name string }

func (k key) String() string { return fmt.Sprintf("%s %s", k.kind, k.name) }

func keyOf(o *unstructured.Unstructured) key { return key{o.GetKind(), o.GetNamespace(), o.GetName()} }

func find(objects []*unstructured.Unstructured, k key) *unstructured.Unstructured {
	for _, o := range objects {
		if keyOf(o) == k {
			return o
		}
	}
	return nil
}
