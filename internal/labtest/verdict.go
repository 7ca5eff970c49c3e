package labtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// mutantWithin limits the polling for a response that a mutant prevents. It is short, because a
// controller acts in milliseconds.
const mutantWithin = 4 * time.Second

// The step that has to fail stops when its polls return the same for this long. A controller reacts
// in milliseconds, but pods take seconds.
const (
	stableFor     = 1500 * time.Millisecond
	podsStableFor = 6 * time.Second
)

// Verdict is the result of a mutant.
type Verdict string

// The verdicts.
const (
	// CaughtRight: the scenario failed in the step and for the reason of the mutant.
	CaughtRight Verdict = "caught"
	Survived    Verdict = "survived" // Survived: the scenario passed despite the mutant
	// CaughtWrong: the scenario failed, but in the wrong step or for the wrong reason.
	CaughtWrong Verdict = "caught for another reason"
	NotTried    Verdict = "skipped" // NotTried: the cluster lacks a requirement of the mutant
	// Inconclusive: the lab is broken, or the run was interrupted.
	Inconclusive Verdict = "inconclusive"
)

// MutantReport is the report of one mutant.
type MutantReport struct {
	Scenario string `json:"scenario"`
	Mutant   string `json:"mutant"`
	File     string `json:"file"`
	// Line is the mutant's line in the file, counted from 1, or 0 if unknown.
	Line    int     `json:"line,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Reason says in one line how the mutant was caught, or what is wrong.
	Reason  string  `json:"reason"`
	Seconds float64 `json:"seconds"`
	// Report is the report of the scenario with the mutant. It is nil if the scenario did not run.
	Report *scenario.Report `json:"report,omitempty"`
}

// Outcome returns the verdict as an outcome.
func (m MutantReport) Outcome() scenario.Outcome {
	switch m.Verdict {
	case CaughtRight:
		return scenario.Passed
	case NotTried:
		return scenario.Skipped
	case Survived, CaughtWrong:
		return scenario.Failed
	}
	if m.Report != nil && m.Report.Outcome == scenario.Interrupted {
		return scenario.Interrupted
	}
	return scenario.Broken
}

// RunMutant runs a loaded scenario with a mutant in its own namespace, and judges the failure. The
// report is never nil. The error is not nil exactly if the lab is broken.
func RunMutant(ctx context.Context, s *scenario.Scenario, m scenario.Mutant, env scenario.Env) (*MutantReport, error) {
	return runMutantWithin(ctx, s, m, env, mutantWithin)
}

func runMutantWithin(ctx context.Context, s *scenario.Scenario, m scenario.Mutant, env scenario.Env, within time.Duration) (*MutantReport,
	error) {
	report := &MutantReport{Scenario: s.Metadata.Name, Mutant: m.Name, File: s.File(), Line: s.LineOf(m)}
	if why := env.Capabilities.Lacks(slices.Concat(s.Requires, m.Requires)...); len(why) > 0 {
		report.Verdict, report.Reason = NotTried, strings.Join(why, "; ")
		return report, nil
	}
	mutated, err := s.WithMutant(m)
	if err != nil {
		report.Verdict, report.Reason = Inconclusive, fmt.Sprintf("the mutant cannot be applied: %v", err)
		return report, fmt.Errorf("scenario %s: mutant %q: %w", s.Metadata.Name, m.Name, err)
	}
	env.Variant, env.BeforeStep = " mutant "+m.Name, limitsOf(m.Caught, within)
	report.Report, err = scenario.Run(ctx, mutated, env)
	report.Seconds = report.Report.Seconds
	report.Verdict, report.Reason = judge(m.Caught, report.Report)
	return report, err
}

// limitsOf returns the limits of steps in a run that has to fail. A step with pods gets more time,
// because pods depend on the machine's load. If the mutant names no step, only requests and waits for
// an Ingress have limits.
func limitsOf(c scenario.Caught, within time.Duration) func(scenario.Step, []string) scenario.StepLimits {
	return func(step scenario.Step, names []string) scenario.StepLimits {
		var limits scenario.StepLimits
		isNamed := c.Step != ""
		if isNamed && !slices.Contains(names, c.Step) {
			return limits
		}
		switch {
		case step.Expect != nil && (step.Expect.From == "" || !isNamed):
			limits.Within = within
		case isNamed:
			limits.Within = 4 * within
		case step.Wait != nil && step.Wait.Ingress != "":
			limits.Within = within
		}
		if isNamed {
			limits.Enough, limits.StableFor = func(s scenario.StepReport) bool { return missing(c, s) == "" }, podsStableFor
			if step.Expect != nil {
				limits.StableFor = stableFor
			}
		}
		return limits
	}
}

// judge compares the end of a run with the expected failure.
func judge(c scenario.Caught, r *scenario.Report) (Verdict, string) {
	failed := r.FailedStep()
	switch {
	case r.Outcome == scenario.Passed:
		return Survived, "the scenario passes"
	case failed == nil || r.Outcome == scenario.Broken || r.Outcome == scenario.Interrupted:
		return Inconclusive, r.Reason
	case c.Step != "" && !isStep(*failed, c.Step):
		return CaughtWrong, fmt.Sprintf("step %q must fail, but step %d (%s) fails: %s", c.Step, failed.Number, failed.Title(), failed.Why())
	}
	if message := missing(c, *failed); message != "" {
		return CaughtWrong, fmt.Sprintf("step %d (%s) fails, but its report does not say %q: %s", failed.Number, failed.Title(), message,
			failed.Why())
	}
	return CaughtRight, fmt.Sprintf("in step %d (%s): %s", failed.Number, failed.Title(), failed.Why())
}

// missing returns the first expected text that is not in the report of a step, or "".
func missing(c scenario.Caught, s scenario.StepReport) string {
	said := said(s)
	for _, message := range c.Message {
		if !strings.Contains(said, message) {
			return message
		}
	}
	return ""
}

// isStep reports whether the failed step, or a failed nested step, has this name.
func isStep(s scenario.StepReport, name string) bool {
	return s.Name == name || slices.ContainsFunc(s.While, func(inside scenario.StepReport) bool {
		return inside.Outcome != scenario.Passed && inside.Outcome != scenario.Skipped && isStep(inside, name)
	})
}

// said returns the text of a step's report, including nested steps.
func said(s scenario.StepReport) string {
	var text strings.Builder
	scenario.NewPretty(&text, scenario.Style{}).Explain(s, "")
	for _, m := range s.Mismatches {
		text.WriteString(m.String() + "\n") // on one line, so that a message can match all of it
	}
	for _, inside := range s.While {
		text.WriteString(said(inside))
	}
	return text.String()
}
