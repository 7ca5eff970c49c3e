package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// mutantPatience is how long an answer is looked for that a mutant keeps from coming: what a right controller does with a right
// manifest takes it milliseconds, so that what is not so by then was not made so.
const mutantPatience = 4 * time.Second

// Verdict says what became of a mutant.
type Verdict string

// The verdicts.
const (
	// CaughtRight: the scenario failed in the step and for the reason that the mutant names.
	CaughtRight Verdict = "caught"
	// Survived: the scenario passed, although something is wrong.
	Survived Verdict = "survived"
	// CaughtWrong: the scenario failed, but in another step or for another reason.
	CaughtWrong Verdict = "caught for another reason"
	// NotTried: the cluster cannot do what the mutant requires.
	NotTried Verdict = "skipped"
	// Inconclusive: the lab is broken, or somebody gave up.
	Inconclusive Verdict = "inconclusive"
)

// MutantReport is what became of one mutant.
type MutantReport struct {
	Scenario string `json:"scenario"`
	Mutant   string `json:"mutant"`
	File     string `json:"file"`
	// Line is where the mutant stands in the file, counted from 1; 0 if that is not known.
	Line    int     `json:"line,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Reason says in a line how it was caught or, if it was not as it has to be, what is wrong.
	Reason  string  `json:"reason"`
	Seconds float64 `json:"seconds"`
	// Report is that of the scenario with the mutant; nil if it was not tried.
	Report *Report `json:"report,omitempty"`
}

// Outcome is the verdict as the outcome of a test.
func (m MutantReport) Outcome() Outcome {
	switch m.Verdict {
	case CaughtRight:
		return Passed
	case NotTried:
		return Skipped
	case Survived, CaughtWrong:
		return Failed
	}
	if m.Report != nil && m.Report.Outcome == Interrupted {
		return Interrupted
	}
	return Broken
}

// RunMutant runs a loaded scenario with one of its mutants, in a namespace of its own, and judges whether the scenario fails
// as the mutant says it has to. It looks for a few seconds for what will not come, unless env has another patience.
//
// The report is never nil. The error is not nil exactly if the lab is broken.
func RunMutant(ctx context.Context, s *Scenario, m Mutant, env Env) (*MutantReport, error) {
	report := &MutantReport{Scenario: s.Metadata.Name, Mutant: m.Name, File: s.file, Line: s.lineOf(m)}
	if why := env.Capabilities.Lacks(append(append(Capabilities{}, s.Requires...), m.Requires...)...); len(why) > 0 {
		report.Verdict, report.Reason = NotTried, strings.Join(why, "; ")
		return report, nil
	}
	manifests, flaws := s.mutate(m)
	if len(flaws) > 0 {
		report.Verdict, report.Reason = Inconclusive, fmt.Sprintf("the mutant cannot be made: %s: %v", flaws[0].part, flaws[0].err)
		return report, fmt.Errorf("scenario %s: mutant %q: %s: %w", s.Metadata.Name, m.Name, flaws[0].part, flaws[0].err)
	}
	mutated := *s
	mutated.manifests = manifests
	if env.Patience == 0 {
		env.Patience = mutantPatience
	}
	env.purpose, env.caught = " mutant "+m.Name, m.Caught
	var err error
	report.Report, err = Run(ctx, &mutated, env)
	report.Seconds = report.Report.Seconds
	report.Verdict, report.Reason = m.Caught.judge(report.Report)
	return report, err
}

// judge compares how a run ended with how it has to.
func (c Caught) judge(r *Report) (Verdict, string) {
	failed := r.failed()
	switch {
	case r.Outcome == Passed:
		return Survived, "the scenario passes"
	case failed == nil || r.Outcome == Broken || r.Outcome == Interrupted:
		return Inconclusive, r.Reason
	case c.Step != "" && !failed.is(c.Step):
		return CaughtWrong, fmt.Sprintf("it is not step %q that fails, but step %d (%s): %s", c.Step, failed.Number, failed.title(), failed.Why())
	}
	if because := c.missing(failed); because != "" {
		return CaughtWrong, fmt.Sprintf("step %d (%s) fails, but its report does not say %q: %s", failed.Number, failed.title(), because, failed.Why())
	}
	return CaughtRight, fmt.Sprintf("in step %d (%s): %s", failed.Number, failed.title(), failed.Why())
}

// missing is the first text that the report of a step was to say, and does not; "" if it says all.
func (c Caught) missing(s *StepReport) string {
	said := s.said()
	for _, because := range c.Message {
		if !strings.Contains(said, because) {
			return because
		}
	}
	return ""
}

// failed returns the report of the step that ended the run; nil if none did.
func (r *Report) failed() *StepReport {
	for i, s := range r.Steps {
		if s.Outcome != Passed && s.Outcome != Skipped {
			return &r.Steps[i]
		}
	}
	return nil
}

// is reports whether the step that failed has this name, or one that did inside of it.
func (s *StepReport) is(name string) bool {
	if s.Name == name {
		return true
	}
	for _, inside := range s.While {
		if inside.Outcome != Passed && inside.Outcome != Skipped && inside.is(name) {
			return true
		}
	}
	return false
}

// said is what the report of a step says beside what was to be done: what differs, what the controller and the API server say,
// what the cluster looks like, and all that of the steps inside.
func (s *StepReport) said() string {
	var text strings.Builder
	p := NewPretty(&text, Style{})
	p.Explain(*s, "")
	for _, m := range s.Mismatches {
		p.printf("%s\n", m.String()) // on one line, as the tables do not have it
	}
	for _, inside := range s.While {
		p.printf("%s", inside.said())
	}
	return text.String()
}

// lineOf is where a mutant of the scenario stands.
func (s *Scenario) lineOf(m Mutant) int {
	for i := range s.Mutants {
		if s.Mutants[i].Name == m.Name {
			return s.positions.At(fmt.Sprintf("mutants[%d]", i)).Line
		}
	}
	return 0
}
