package labtest

import (
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Proof is what was proven on every cluster.
type Proof struct {
	// Outcome is the worst of the places' outcomes.
	Outcome scenario.Outcome `json:"outcome"`
	Places  []*Place         `json:"places"`
}

// Place is one cluster, and what was proven there.
type Place struct {
	// Provider is what the cluster is made with, Cluster its name.
	Provider string `json:"provider"`
	Cluster  string `json:"cluster,omitempty"`
	// Outcome is the worst of the items' outcomes; Skipped if there is no such cluster here, Broken if it could not be had.
	Outcome scenario.Outcome `json:"outcome"`
	// Reason says why nothing was proven here.
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started"`
	// UpSeconds is how long the cluster took to come up, Seconds how long everything else did.
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
	// Reason says why the item was skipped as a whole.
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Parts   []Part    `json:"parts"`
	// First is the first try, if there was a second one, alone in the cluster, which is what the rest of the item tells about.
	First *Item `json:"first,omitempty"`
}

// Part is one thing that is asked of an item.
type Part struct {
	// Kind is one of the Kinds.
	Kind string `json:"kind"`
	// Text says what is so if the part has passed.
	Text string `json:"text"`
	// File and Line are what the part is about.
	File    string           `json:"file"`
	Line    int              `json:"line,omitempty"`
	Outcome scenario.Outcome `json:"outcome"`
	// Seen says how it was found.
	Seen string `json:"seen,omitempty"`
	// Reason says why a part was skipped or could not be judged.
	Reason  string  `json:"reason,omitempty"`
	Faults  []Fault `json:"faults,omitempty"`
	Seconds float64 `json:"seconds"`
}

// The kinds of parts. The first seven are those of labs, in the order in which they are proven.
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

// Fault is something wrong with a lab or a scenario, and where to mend it.
type Fault struct {
	File string `json:"file"`
	// Line counts from 1; 0 if it is not known.
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

// String renders the fault as compilers do, so that editors can jump to it.
func (f Fault) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Text)
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// title names the item as people do.
func (i *Item) title() string {
	if i.Kind == kindLab {
		return fmt.Sprintf("lab %d %s", i.Number, i.Name)
	}
	return i.Kind + " " + i.Name
}

const kindLab = "lab"

// settle takes the item's outcome from its parts. That one thing could not be judged does not make a skip of the rest.
func (i *Item) settle() {
	i.Seconds = time.Since(i.Started).Seconds()
	if i.Reason != "" && len(i.Parts) == 0 {
		return
	}
	outcomes := []scenario.Outcome{scenario.Passed}
	for _, p := range i.Parts {
		if p.Outcome != scenario.Skipped {
			outcomes = append(outcomes, p.Outcome)
		}
	}
	i.Outcome = scenario.Worst(outcomes...)
}

// settle takes the place's outcome from its items, unless it has one because nothing could be proven.
func (p *Place) settle() {
	var outcomes []scenario.Outcome
	for _, i := range p.Items {
		if i.Outcome != scenario.Skipped {
			outcomes = append(outcomes, i.Outcome)
		}
	}
	p.Outcome = scenario.Worst(outcomes...)
}

// NewProof puts what was proven in several places together. A place that this machine does not have is no failure.
func NewProof(places ...*Place) *Proof {
	proof := &Proof{Places: places}
	var outcomes []scenario.Outcome
	for _, p := range places {
		if p.Outcome != scenario.Skipped {
			outcomes = append(outcomes, p.Outcome)
		}
	}
	proof.Outcome = scenario.Worst(outcomes...)
	return proof
}

// count returns how many parts of a kind there are, and how many of them passed.
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
