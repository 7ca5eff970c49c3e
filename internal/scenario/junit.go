package scenario

import (
	"fmt"
	"io"
	"strings"

	"github.com/ingresslab/ingresslab/internal/junit"
)

// WriteJUnit writes reports as a JUnit XML document for CI systems: a scenario is a suite, and a step is a case. A step that failed is a
// failure. A broken lab and an interrupted run are errors.
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
	for _, p := range []junit.Property{{Name: "title", Value: r.Title}, {Name: "namespace", Value: r.Namespace}, {Name: "seed",
		Value: fmt.Sprint(r.Seed)}} {
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
