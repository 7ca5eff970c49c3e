package labtest

import (
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Report is the result on all clusters.
type Report struct {
	// Outcome is the worst of the clusters' outcomes.
	Outcome scenario.Outcome `json:"outcome"`
	Places  []*ClusterReport `json:"places"`
}

// ClusterReport is the result on one cluster.
type ClusterReport struct {
	// Provider is the cluster type, and Cluster is the cluster's name.
	Provider string `json:"provider"`
	Cluster  string `json:"cluster,omitempty"`
	// Outcome is the worst outcome of the items; Skipped if the provider is not available, Broken
	// if the cluster did not start.
	Outcome scenario.Outcome `json:"outcome"`
	// Reason says why no item ran.
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started"`
	// UpSeconds is how long the cluster took to start. Seconds is how long the items took.
	UpSeconds float64 `json:"upSeconds"`
	Seconds   float64 `json:"seconds"`
	Items     []*Item `json:"items"`
}

// Item is a lab or a scenario.
type Item struct {
	// Kind is "lab" or "scenario".
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Number is a lab's number.
	Number  int              `json:"number,omitempty"`
	File    string           `json:"file"`
	Outcome scenario.Outcome `json:"outcome"`
	// Reason says why the whole item was skipped.
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Parts   []Part    `json:"parts"`
	// First is the first attempt, if there was a second one alone in the cluster. The other fields
	// then describe the second attempt.
	First *Item `json:"first,omitempty"`
}

// Part is one test of an item.
type Part struct {
	// Kind is one of the Kinds.
	Kind string `json:"kind"`
	// Text says what is true if the part passes.
	Text string `json:"text"`
	// File and Line are the position of what the part tests.
	File    string           `json:"file"`
	Line    int              `json:"line,omitempty"`
	Outcome scenario.Outcome `json:"outcome"`
	// Seen describes what the part observed.
	Seen string `json:"seen,omitempty"`
	// Reason says why a part was skipped or not evaluated.
	Reason  string       `json:"reason,omitempty"`
	Faults  []Diagnostic `json:"faults,omitempty"`
	Seconds float64      `json:"seconds"`
}

// The kinds of parts. All but the last belong to labs.
const (
	KindStart    = "start"
	KindSolution = "solution"
	KindQuiz     = "quiz"
	KindReset    = "reset"
	KindMutant   = "mutant"
	KindHints    = "hints"
	KindLesson   = "lesson"
	KindScenario = "scenario"
)

// Diagnostic is an error in a lab or a scenario.
type Diagnostic struct {
	File string `json:"file"`
	// Line counts from 1. It is 0 if unknown.
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

// with returns a copy of the diagnostic with a text.
func (f Diagnostic) with(format string, args ...any) Diagnostic {
	f.Text = fmt.Sprintf(format, args...)
	return f
}

// String returns "file:line: text", a form in which editors recognize the position.
func (f Diagnostic) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Text)
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

func (i *Item) title() string {
	if i.Kind == kindLab {
		return fmt.Sprintf("lab %d %s", i.Number, i.Name)
	}
	return i.Kind + " " + i.Name
}

const kindLab = "lab"

// settle sets the item's outcome to the worst outcome of its parts, without skipped ones.
func (i *Item) settle() {
	i.Seconds = time.Since(i.Started).Seconds()
	if i.Reason != "" && len(i.Parts) == 0 {
		return
	}
	i.Outcome = worst(i.Parts, func(p Part) scenario.Outcome { return p.Outcome })
}

// settle sets the cluster's outcome to the worst outcome of its items, without skipped ones.
func (p *ClusterReport) settle() {
	p.Outcome = worst(p.Items, func(i *Item) scenario.Outcome { return i.Outcome })
}

// NewReport combines the reports of clusters. An unavailable provider is not a failure.
func NewReport(places ...*ClusterReport) *Report {
	return &Report{Places: places, Outcome: worst(places, func(p *ClusterReport) scenario.Outcome { return p.Outcome })}
}

// worst returns the worst outcome of a list. It ignores skipped elements, and returns Passed if
// there are no others.
func worst[T any](list []T, outcomeOf func(T) scenario.Outcome) scenario.Outcome {
	result := scenario.Passed
	for _, element := range list {
		if o := outcomeOf(element); o != scenario.Skipped {
			result = scenario.Worst(result, o)
		}
	}
	return result
}

func (i *Item) count(kind string) (passed, all int) {
	for _, p := range i.Parts {
		if p.Kind != kind {
			continue
		}
		all++
		if p.Outcome == scenario.Passed {
			passed++
		}
	}
	return passed, all
}
