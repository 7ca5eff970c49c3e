package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// Outcome says how a scenario or a step ended.
type Outcome string

// The outcomes, from the best to the worst.
const (
	// Passed: everything held.
	Passed Outcome = "passed"
	// Skipped: the cluster cannot do what the scenario requires, or an earlier step ended the scenario.
	Skipped Outcome = "skipped"
	// Failed: a result differs from the expected one, or the cluster refused a manifest.
	Failed Outcome = "failed"
	// TimedOut: a wait timed out, so the rest was not tested.
	TimedOut Outcome = "timeout"
	// Broken: the lab does not work, so nothing was tested.
	Broken Outcome = "broken"
	// Interrupted: the caller canceled the run.
	Interrupted Outcome = "interrupted"
)

// Worst returns the worst of the outcomes, and Passed if there is none.
func Worst(outcomes ...Outcome) Outcome {
	order := []Outcome{Passed, Skipped, Failed, TimedOut, Broken, Interrupted}
	worst := 0
	for _, o := range outcomes {
		worst = max(worst, slices.Index(order, o))
	}
	return order[worst]
}

// Report is the report of a run.
type Report struct {
	Scenario string  `json:"scenario"`
	Title    string  `json:"title"`
	File     string  `json:"file"`
	Outcome  Outcome `json:"outcome"`
	// Reason says in a sentence why the outcome is not Passed.
	Reason string `json:"reason,omitempty"`
	// Seed is what everything that the run drew follows from.
	Seed uint64 `json:"seed,omitempty"`
	// Run is the drawn name of this run; it is part of its host names and its namespace.
	Run       string       `json:"run,omitempty"`
	Namespace string       `json:"namespace,omitempty"`
	Started   time.Time    `json:"started"`
	Seconds   float64      `json:"seconds"`
	Steps     []StepReport `json:"steps"`
	// Kept is true if the namespace was kept for debugging.
	Kept bool `json:"kept,omitempty"`
	// Next is the number of the step that a kept run can go on with; 0 if every step has passed.
	Next int `json:"next,omitempty"`
	// Changed names what a kept run has changed outside of its namespace, and has not given back.
	Changed []string `json:"changed,omitempty"`
	// Cleanup says what could not be removed; empty if everything was.
	Cleanup string `json:"cleanup,omitempty"`
	// PodsKept is true if the pods and the namespace were left for another run.
	PodsKept bool `json:"-"`
}

// NotBegun returns the report of a scenario that was to run and did not.
func (s *Scenario) NotBegun(why string) *Report {
	return &Report{
		Scenario: s.Metadata.Name, Title: s.Metadata.Title, File: s.file, Outcome: Skipped, Reason: why,
		Started: time.Now(), Steps: []StepReport{},
	}
}

// StepReport is the report of one step.
type StepReport struct {
	// Number counts from 1.
	Number int `json:"number"`
	// Name is what the file calls the step; empty if it does not.
	Name string `json:"name,omitempty"`
	Verb string `json:"verb"`
	// Text says what the step does, with the host names of this run.
	Text string `json:"text"`
	// Line is where the step stands in the file, counted from 1; 0 if that is not known.
	Line    int     `json:"line,omitempty"`
	Outcome Outcome `json:"outcome"`
	Seconds float64 `json:"seconds"`
	// Tries is how often was looked; 0 for a step that does not look.
	Tries int `json:"tries,omitempty"`
	// Mismatches are the last differences seen, if the step did not hold.
	Mismatches []probe.Mismatch `json:"mismatches,omitempty"`
	// Summary says in a line what many requests came to.
	Summary string `json:"summary,omitempty"`
	// Share is what the share of a traffic step came to.
	Share *ShareReport `json:"share,omitempty"`
	// While has the steps that ran while this one lasted. That one of them did not hold makes this one not hold, too.
	While []StepReport `json:"while,omitempty"`
	// Error says why nothing could be seen or done.
	Error string `json:"error,omitempty"`
	// Note adds what the mismatches do not say.
	Note string `json:"note,omitempty"`
	// Answer is what came of the last request.
	Answer *Answer `json:"answer,omitempty"`
	// Diagnostics is what explains a failure.
	Diagnostics *Diagnostics `json:"diagnostics,omitempty"`

	// path is where the step stands in its file: steps[2].
	path string
}

// Answer is the part of an observation that a report keeps.
type Answer struct {
	Status int           `json:"status"`
	Served *probe.Served `json:"served,omitempty"`
	// Reason is the controller's own explanation.
	Reason string `json:"reason,omitempty"`
	// Milliseconds is how long the last request took.
	Milliseconds float64 `json:"milliseconds"`
}

func answerOf(o *probe.Observation) *Answer {
	if o == nil {
		return nil
	}
	return &Answer{Status: o.Status, Served: o.Served, Reason: o.Reason, Milliseconds: float64(o.Duration.Microseconds()) / 1000}
}

// Progress is called during a run. The calls of one run do not overlap.
type Progress interface {
	// ScenarioStarted is called before the first step; Outcome and Steps of the report are empty.
	ScenarioStarted(Report)
	// StepStarted is called with what is known of a step before it runs.
	StepStarted(StepReport)
	// StepDone is called when a step has ended.
	StepDone(StepReport)
	// ScenarioDone is called at the end, after the cleanup. It is called for a skipped scenario, too.
	ScenarioDone(Report)
}

// silent is a Progress that does nothing.
type silent struct{}

func (silent) ScenarioStarted(Report) {}
func (silent) StepStarted(StepReport) {}
func (silent) StepDone(StepReport)    {}
func (silent) ScenarioDone(Report)    {}

// passed is how many steps have passed, in this run or in the one that it goes on with.
func (r *Report) passed() int {
	last := 0
	for _, s := range r.Steps {
		switch s.Outcome {
		case Passed:
			last = s.Number
		case Skipped:
		default:
			return s.Number - 1
		}
	}
	return last
}

// FailedStep returns the report of the step that ended the run; nil if none did.
func (r *Report) FailedStep() *StepReport {
	for i, s := range r.Steps {
		if s.Outcome != Passed && s.Outcome != Skipped {
			return &r.Steps[i]
		}
	}
	return nil
}

// Why returns in one line why a step did not pass.
func (s StepReport) Why() string {
	if s.Outcome == Interrupted {
		return "interrupted"
	}
	why := s.Note
	switch {
	case len(s.Mismatches) > 0 && s.Outcome == Broken && s.Error != "":
		why = s.Error + "; before that, " + s.Mismatches[0].String()
	case len(s.Mismatches) > 0:
		why = s.Mismatches[0].String()
	case s.Error != "":
		why = s.Error
	case s.whyInside() != "":
		return strings.TrimPrefix(s.whyInside(), "; ")
	}
	return why + s.whyInside()
}

// whyInside says which of the steps inside did not pass; empty if all did.
func (s StepReport) whyInside() string {
	for _, inside := range s.While {
		if inside.Outcome != Passed && inside.Outcome != Skipped {
			return fmt.Sprintf("; meanwhile, step %s (%s): %s", inside.label(), inside.Text, inside.Why())
		}
	}
	return ""
}

// nestedOutcome is the worst that came of the steps inside.
func (s *StepReport) nestedOutcome() Outcome {
	worst := Passed
	for _, step := range s.While {
		worst = Worst(worst, step.Outcome)
	}
	return worst
}
