package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/junit"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// Outcome is the result of a scenario or a step.
type Outcome string

// The outcomes, from the best to the worst.
const (
	Passed Outcome = "passed" // Passed: everything is as expected
	// Skipped: the cluster cannot do what the scenario requires, or an earlier step ended the
	// scenario.
	Skipped Outcome = "skipped"
	// Failed: a result differs from the expected one, or the cluster refused a manifest.
	Failed      Outcome = "failed"
	TimedOut    Outcome = "timeout"     // TimedOut: a wait timed out, so later steps were not tested
	Broken      Outcome = "broken"      // Broken: the lab does not work, so nothing was tested
	Interrupted Outcome = "interrupted" // Interrupted: the caller canceled the run
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
	// Seed determines all random values of the run.
	Seed uint64 `json:"seed,omitempty"`
	// Run is the random name of the run, a part of its host names and namespace.
	Run       string       `json:"run,omitempty"`
	Namespace string       `json:"namespace,omitempty"`
	Started   time.Time    `json:"started"`
	Seconds   float64      `json:"seconds"`
	Steps     []StepReport `json:"steps"`
	// Kept is true if the namespace was kept for debugging.
	Kept bool `json:"kept,omitempty"`
	// Next is the number of the step at which a kept run can continue, or 0 if all steps passed.
	Next int `json:"next,omitempty"`
	// Changed lists objects outside its namespace that a kept run has changed and not restored.
	Changed []string `json:"changed,omitempty"`
	// Cleanup lists what could not be removed. It is empty if everything was removed.
	Cleanup string `json:"cleanup,omitempty"`
	// PodsKept is true if the next run can use the pods and the namespace of this one.
	PodsKept bool `json:"-"`
}

// NotBegun returns the report of a scenario that did not start, with the reason why.
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
	// Name is the step's name in the file. It can be empty.
	Name string `json:"name,omitempty"`
	Verb string `json:"verb"`
	// Text describes the step with the host names of the run.
	Text string `json:"text"`
	// Line is the step's line in the file, counted from 1, or 0 if unknown.
	Line    int     `json:"line,omitempty"`
	Outcome Outcome `json:"outcome"`
	Seconds float64 `json:"seconds"`
	// Tries is the number of polls. It is 0 for a step that does not poll.
	Tries int `json:"tries,omitempty"`
	// Mismatches are the last differences, if the step did not pass.
	Mismatches []probe.Mismatch `json:"mismatches,omitempty"`
	// Summary summarizes many requests in one line.
	Summary string `json:"summary,omitempty"`
	// Share is the result for a traffic step that expects a share.
	Share *ShareReport `json:"share,omitempty"`
	// While has the nested steps. If one of them fails, this step fails, too.
	While []StepReport `json:"while,omitempty"`
	// Error says why the step could not run or be evaluated.
	Error string `json:"error,omitempty"`
	// Note explains the mismatches.
	Note string `json:"note,omitempty"`
	// Answer is the response to the last request.
	Answer *Answer `json:"answer,omitempty"`
	// Diagnostics explain a failure.
	Diagnostics *Diagnostics `json:"diagnostics,omitempty"`

	path string // path is the position in the file: steps[2]
}

// Answer is the part of a response that a report keeps.
type Answer struct {
	Status int           `json:"status"`
	Served *probe.Served `json:"served,omitempty"`
	// Reason is the controller's own explanation.
	Reason string `json:"reason,omitempty"`
	// Milliseconds is the duration of the last request.
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
	// StepStarted is called before a step runs.
	StepStarted(StepReport)
	// StepDone is called after a step.
	StepDone(StepReport)
	// ScenarioDone is called at the end, after the cleanup. It is called for a skipped scenario,
	// too.
	ScenarioDone(Report)
}

type silent struct{}

func (silent) ScenarioStarted(Report) {}
func (silent) StepStarted(StepReport) {}
func (silent) StepDone(StepReport)    {}
func (silent) ScenarioDone(Report)    {}

// passed returns how many steps have passed in this run, and in the kept run that it continues.
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

// FailedStep returns the first step that did not pass. It is nil if all passed.
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

// whyInside returns why a nested step did not pass. It is empty if all nested steps passed.
func (s StepReport) whyInside() string {
	for _, inside := range s.While {
		if inside.Outcome != Passed && inside.Outcome != Skipped {
			return fmt.Sprintf("; meanwhile, step %s (%s): %s", inside.label(), inside.Text, inside.Why())
		}
	}
	return ""
}

func (s *StepReport) nestedOutcome() Outcome {
	worst := Passed
	for _, step := range s.While {
		worst = Worst(worst, step.Outcome)
	}
	return worst
}

// Reports is the JSON document about scenarios.
type Reports struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Outcome is the worst of the reports' outcomes.
	Outcome Outcome   `json:"outcome"`
	Reports []*Report `json:"reports"`
}

// WriteJSON writes reports as one indented JSON document.
func WriteJSON(w io.Writer, reports []*Report) error {
	doc := Reports{APIVersion: APIVersion, Kind: "Reports", Outcome: WorstOf(reports), Reports: reports}
	if doc.Reports == nil {
		doc.Reports = []*Report{}
	}
	return EncodeJSON(w, doc)
}

// WorstOf returns the worst outcome of reports.
func WorstOf(reports []*Report) Outcome {
	var outcomes []Outcome
	for _, r := range reports {
		outcomes = append(outcomes, r.Outcome)
	}
	return Worst(outcomes...)
}

// EncodeJSON writes a document as indented JSON.
func EncodeJSON(w io.Writer, document any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // keep "->" readable
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}

// WriteJUnit writes reports as JUnit XML: a scenario is a suite, and a step is a case. A failed
// step is a failure. A broken lab and an interrupted run are errors.
func WriteJUnit(w io.Writer, reports []*Report) error {
	var suites []junit.Suite
	seconds := 0.0
	for _, r := range reports {
		suites = append(suites, junitSuiteOf(r))
		seconds += r.Seconds
	}
	return junit.Write(w, suites, seconds)
}

func junitSuiteOf(r *Report) junit.Suite {
	suite := junit.Suite{Name: r.Scenario, File: r.File, Timestamp: junit.Time(r.Started)}
	seed := fmt.Sprint(r.Seed)
	for _, p := range []junit.Property{{Name: "title", Value: r.Title}, {Name: "namespace", Value: r.Namespace}, {Name: "seed", Value: seed}} {
		if p.Value != "" && p.Value != "0" {
			suite.Properties = append(suite.Properties, p)
		}
	}
	for _, s := range r.Steps {
		suite.Cases = append(suite.Cases, junitCaseOf(r, s))
	}
	// A scenario without steps was skipped or could not begin. It needs a case to be visible.
	if len(r.Steps) == 0 {
		suite.Cases = append(suite.Cases, junitCaseOf(r, StepReport{Text: r.Title, Outcome: r.Outcome, Error: r.Reason}))
	}
	return suite.Took(r.Seconds)
}

func junitCaseOf(r *Report, s StepReport) junit.Case {
	c := junit.Case{Name: s.Title(), Class: r.Scenario, Line: s.Line, Seconds: junit.Seconds(s.Seconds)}
	if s.Number > 0 {
		c.Name = fmt.Sprintf("%d. %s", s.Number, c.Name)
	}
	problem := &junit.Problem{Message: s.Why()}
	switch s.Outcome {
	case Passed:
		return c
	case Skipped:
		c.Skipped = problem
		return c
	case Failed, TimedOut:
		var text strings.Builder
		text.WriteString("\n")
		NewPretty(&text, Style{}).Explain(s, "")
		problem.Text = text.String()
		c.Failure = problem
	default:
		c.Error = problem
	}
	var everything strings.Builder
	NewPretty(&everything, Style{}).Step(s, "")
	c.Output = &junit.Text{Text: "\n" + everything.String()}
	return c
}
