// Package lab runs labs. A lab is a directory with a text (lesson.md), the objects at the start
// (start/), and a solution (solution/). The front matter of the text lists the tasks, each with a
// check, which is a list of scenario steps.
//
// [Run] runs a lab without a student: it applies start/, shows that all checks fail, and runs the
// solution of each task, after which the task's check must pass. A lab whose checks pass at the
// start, or fail with its own solution, is invalid.
//
// A [Session] has the single operations: poll the tasks, solve one, get hints, and take the quiz.
// The tutor, `ingresslab check`, package labtest, and Run use it.
//
// Read lesson.go for the format, load.go and validate.go for how it is read, session.go for the
// operations, and run.go for the run. namespace.go handles the objects in the lab's namespace, and
// shared.go those in the controller's. poll.go finds finished tasks and missing parts, advise.go
// finds hints, and quiz.go grades answers.
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

// Lab is one lab with its files.
type Lab struct {
	// Number and Name come from the directory's name: 1 and host-routing from 01-host-routing.
	Number int
	Name   string
	Dir    string // Dir is the directory that was passed to Load
	FrontMatter
	// Text is the Markdown after the front matter. TextLine is the number of its first line in the
	// file, counted from 1.
	Text     string
	TextLine int
	// Start are the objects at the start. An object of Solution replaces the object of Start with
	// the same kind and name.
	Start, Solution []*unstructured.Unstructured
	// Mutants are the wrong solutions of mutants.yaml, which the checks must catch.
	Mutants []Mutant

	// files are the manifests of solution/, and mutantFiles are those of mutants/, by file name.
	files, mutantFiles map[string]scenario.Manifest
	// positions are the positions of fields in lesson.md, and mutantPositions are those in
	// mutants.yaml.
	positions, mutantPositions strictyaml.Positions
}

// FrontMatter is the YAML between the --- lines at the top of a lesson.md.
type FrontMatter struct {
	Title string `yaml:"title"`
	// Namespace is where the student works. It remains after the lab.
	Namespace string `yaml:"namespace"`
	// Scenario names a scenario that tests the same topic in depth; it can be empty.
	Scenario string `yaml:"scenario"`
	// Requires lists the capabilities that the cluster needs.
	Requires scenario.Capabilities `yaml:"requires"`
	// Open lists URLs without a port to open after the lab.
	Open []string `yaml:"open"`
	// Exclusive marks a lab that affects other labs. When it starts, other labs lose their
	// namespaces, except exclusive labs with different locks.
	Exclusive bool `yaml:"exclusive"`
	// Locks names cluster-wide resources that the lab changes, in lower-case letters, digits, and
	// hyphens. Labs and scenarios with a lock in common are not tested in parallel.
	Locks scenario.Strings `yaml:"locks"`
	// Tolerates lists the locks of exclusive labs and scenarios that don't affect this lab.
	Tolerates scenario.Strings `yaml:"tolerates"`
	// Tasks are the student's tasks in order.
	Tasks []Task `yaml:"tasks"`
	// Hints are tried in this order for an unfinished task.
	Hints []Hint `yaml:"hints"`
	// Quiz is the quiz on the last page; it can be nil.
	Quiz *Quiz `yaml:"quiz"`
}

// Task is one task of a lab.
type Task struct {
	// ID identifies the task in the lab. It must not change when the title changes.
	ID string `yaml:"id"`
	// Title describes the state after the task.
	Title string `yaml:"title"`
	// PassesAtStart marks a task whose check already passes with the manifests in start/. The check
	// of any other task must fail with them.
	PassesAtStart bool `yaml:"passesAtStart"`
	// Check passes when the task is done. Its verbs are expect, wait, exec, and traffic, which
	// change nothing. Hosts are literal.
	Check []scenario.Step `yaml:"check"`
	// Solution solves the task after the earlier tasks. Its verbs are apply (with files of
	// solution/), patch, scale, delete, rollout, certificate, fault, and wait. The default is to
	// apply all files of solution/.
	Solution []scenario.Step `yaml:"solution"`
	// Transient marks a check that fails again after a later task.
	Transient bool `yaml:"transient"`
	// DefaultHints are the hint levels if no hint matches a finding, from a question to the answer.
	DefaultHints []string `yaml:"defaultHints"`
}

// Hint is a hint for one finding.
type Hint struct {
	// ID identifies the hint in the lab.
	ID string `yaml:"id"`
	// Tasks are the IDs of the tasks to which the hint applies. If empty, it applies to all tasks.
	Tasks []string `yaml:"tasks"`
	// Finding is a code of package diagnosis, such as "class-unknown". Object restricts it to one
	// object.
	Finding string `yaml:"finding"`
	// Object is the object of the finding, as KIND/NAME. If empty, any object matches.
	Object string `yaml:"object"`
	// When replaces Finding for problems without a code. It is a check that passes while the
	// problem exists.
	When []scenario.Step `yaml:"when"`
	// Levels are a question, where to look, and the answer. They can use the fields of the finding:
	// {{.Object}}, {{.Field}}, {{.Observed}}, {{.Expected}}, and {{.Text}}, which is a whole
	// sentence.
	Levels []string `yaml:"levels"`
}

// Quiz is a question about the final state of the lab. The cluster provides the right answer.
type Quiz struct {
	// Question is the text: "Which pod answers next, and why?"
	Question string `yaml:"question"`
	// Before are steps before Request that change nothing, such as a request in the same session.
	Before []scenario.Step `yaml:"before"`
	// Request is a request whose response is the right answer.
	Request *scenario.Expect `yaml:"request"`
	// Answer is the part of the response to compare: status, app, pod, service, "header NAME", or
	// body.
	Answer string `yaml:"answer"`
	// Object and JSONPath replace Request and Answer with a field of an object.
	Object   string `yaml:"object"`
	JSONPath string `yaml:"jsonpath"`
	// Choices are the possible answers.
	Choices []string `yaml:"choices"`
	// PodsOf replaces Choices with the pods of a Service.
	PodsOf string `yaml:"podsOf"`
	// Why explains the right answer.
	Why string `yaml:"why"`
}

// Mutant is a wrong solution, an item of mutants.yaml.
type Mutant struct {
	// Name describes the mistake in a few words.
	Name string `yaml:"name"`
	// Patch, Apply, and Omit change the objects of solution/, as in a scenario's mutant. The files
	// of Apply are in mutants/.
	Patch []scenario.Patch `yaml:"patch"`
	Apply scenario.Strings `yaml:"apply"`
	Omit  scenario.Strings `yaml:"omit"`
	// Steps replace the task's own solution.
	Steps []scenario.Step `yaml:"steps"`
	// Refused is a part of the error with which the API server rejects the mutant.
	Refused string `yaml:"refused"`
	// Task is the ID of the task that must not be done. The tasks before it are solved.
	Task string `yaml:"task"`
	// Hint is the ID of the hint, or the finding code, that must appear.
	Hint string `yaml:"hint"`
	// Requires lists the capabilities that the cluster needs so that the mistake has an effect.
	Requires scenario.Capabilities `yaml:"requires"`
}

// Label marks the objects and the namespace of a lab; its value is the lab's name. LabelExclusive
// marks the namespace of an exclusive lab; its value is "true". An exclusive lab also has a label
// for each of its locks, like the namespace of a scenario.
const (
	Label          = "ingresslab.dev/lab"
	LabelExclusive = "ingresslab.dev/exclusive"
)

// Task returns the task with an ID. The error is an *UnknownTaskError.
func (l *Lab) Task(id string) (Task, error) {
	for _, t := range l.Tasks {
		if t.ID == id {
			return t, nil
		}
	}
	known := l.taskIDs()
	return Task{}, &UnknownTaskError{Lab: l, ID: id, Nearest: strictyaml.Nearest(id, known), Known: known}
}

// UnknownTaskError reports that a lab has no task with the given ID.
type UnknownTaskError struct {
	Lab     *Lab
	ID      string
	Nearest string // Nearest is a similar ID, or empty if there is none
	Known   []string
}

// Error suggests a similar ID or lists all IDs.
func (e *UnknownTaskError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("lab %d has no task %q (did you mean %q?)", e.Lab.Number, e.ID, e.Nearest)
	}
	return fmt.Sprintf("lab %d has no task %q; its tasks are %s", e.Lab.Number, e.ID, strings.Join(e.Known, ", "))
}

// Named returns the objects in start/, solution/, and mutants/, and the Secrets that solutions
// create. An object with such a kind and name belongs to the lab, even if the student created it.
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

// changes returns the steps of all solutions and mutants.
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

// key identifies an object. The namespace is empty for a manifest without one.
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
