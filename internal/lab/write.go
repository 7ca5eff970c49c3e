package lab

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Reports is what WriteJSON writes: a document that can grow.
type Reports struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Outcome is the worst of the reports' outcomes.
	Outcome scenario.Outcome `json:"outcome"`
	Reports []*Report        `json:"reports"`
}

// WriteJSON writes reports as one indented JSON document.
func WriteJSON(w io.Writer, reports []*Report) error {
	doc := Reports{APIVersion: scenario.APIVersion, Kind: "LabReports", Outcome: scenario.Passed, Reports: []*Report{}}
	for _, r := range reports {
		doc.Outcome, doc.Reports = scenario.Worst(doc.Outcome, r.Outcome), append(doc.Reports, r)
	}
	return scenario.EncodeJSON(w, doc)
}

// WriteJUnit writes reports as a JUnit XML document: a lab is a suite, and each look at a task's check a case.
func WriteJUnit(w io.Writer, reports []*Report) error {
	var suites []*scenario.Report
	for _, r := range reports {
		suites = append(suites, r.suite())
	}
	return scenario.WriteJUnit(w, suites)
}

// suite is the report in the form that scenarios have.
func (r *Report) suite() *scenario.Report {
	s := &scenario.Report{
		Scenario: fmt.Sprintf("lab %d %s", r.Number, r.Lab), Title: r.Title, File: filepath.Join(r.Dir, LessonFile), Outcome: r.Outcome, Reason: r.Reason,
		Namespace: r.Namespace, Started: r.Started, Seconds: r.Seconds,
	}
	add := func(when string, checks []CheckReport) {
		for _, c := range checks {
			s.Steps = append(s.Steps, c.step(when))
		}
	}
	add("from start/", r.Before)
	add("with its solution", r.Solved)
	add("at the end", r.After)
	failed := false
	for _, step := range s.Steps {
		failed = failed || step.Outcome != scenario.Passed
	}
	// What ended the lab may not have been a check.
	if !failed && r.Outcome != scenario.Passed {
		s.Steps = append(s.Steps, scenario.StepReport{Text: r.Title, Outcome: r.Outcome, Error: r.Reason})
	}
	return s
}

// step is the look at a check in the form that a scenario's step has: it passes if it came out as it should. Its name is the same
// whether it passes or fails, for CI systems know a case by it.
func (c CheckReport) step(when string) scenario.StepReport {
	step := scenario.StepReport{Outcome: scenario.Passed}
	switch {
	case c.Expected:
	case c.Holds:
		step.Outcome, step.Error = scenario.Failed, "it holds although nothing has been done"
	default:
		if len(c.Steps) > 0 {
			step = c.Steps[len(c.Steps)-1]
		}
		step.Note = strings.TrimSuffix("the step is: "+step.Text+"; "+step.Note, "; ")
		step.Number, step.Text, step.Outcome = 0, "", c.Outcome
	}
	step.Name, step.Seconds = when+": "+c.Title, c.Seconds
	if c.Holds != c.Expected {
		step.Name = when + ": not yet: " + c.Title
	}
	return step
}
