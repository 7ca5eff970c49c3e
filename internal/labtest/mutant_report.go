package labtest

import (
	"fmt"
	"io"
	"strings"

	"github.com/ingresslab/ingresslab/internal/junit"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// WriteMutant writes the result of a mutant for a person: a line, and the explanation if the mutant was not caught as it has to be.
func WriteMutant(p *scenario.Pretty, m MutantReport) {
	p.Printf("%s %s: %s: %s", p.Mark(m.Outcome()), m.Scenario, m.Mutant, m.Verdict)
	if m.Report != nil {
		p.Printf(" %s", p.Dim(fmt.Sprintf("(%.1fs)", m.Seconds)))
	}
	p.Printf("\n    %s\n", p.Dim(m.Reason))
	if m.Outcome() == scenario.Passed || m.Outcome() == scenario.Skipped {
		return
	}
	p.Printf("    %s\n", p.Dim(fmt.Sprintf("%s:%d", m.File, m.Line)))
	if m.Report == nil {
		return
	}
	if failed := m.Report.FailedStep(); failed != nil {
		p.Step(*failed, "    ")
	}
	p.Cleanup(m.Report.Cleanup, "    ")
}

// CountVerdicts says in a line how many mutants came to which verdict.
func CountVerdicts(reports []*MutantReport) string {
	counts := map[Verdict]int{}
	for _, m := range reports {
		counts[m.Verdict]++
	}
	var parts []string
	for _, v := range []Verdict{CaughtRight, CaughtWrong, Survived, NotTried, Inconclusive} {
		if counts[v] > 0 || v == CaughtRight {
			parts = append(parts, fmt.Sprintf("%d %s", counts[v], v))
		}
	}
	return text.Count(len(reports), "mutant") + ": " + strings.Join(parts, ", ")
}

// MutantReports is the JSON document about mutants.
type MutantReports struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Outcome is Passed if every mutant that was tried was caught.
	Outcome scenario.Outcome `json:"outcome"`
	Mutants []*MutantReport  `json:"mutants"`
}

// WriteMutants writes the reports of mutants as "json" or "junit".
func WriteMutants(w io.Writer, format string, reports []*MutantReport) error {
	if format == "junit" {
		return writeMutantsJUnit(w, reports)
	}
	doc := MutantReports{APIVersion: scenario.APIVersion, Kind: "MutantReports", Outcome: scenario.Passed, Mutants: reports}
	for _, m := range reports {
		doc.Outcome = scenario.Worst(doc.Outcome, m.Outcome())
	}
	return scenario.EncodeJSON(w, doc)
}

// writeMutantsJUnit writes a suite for each scenario, and a case for each mutant.
func writeMutantsJUnit(w io.Writer, reports []*MutantReport) error {
	var suites []junit.Suite
	total := 0.0
	for _, m := range reports {
		name := "mutants of " + m.Scenario
		if n := len(suites); n == 0 || suites[n-1].Name != name {
			suite := junit.Suite{Name: name, File: m.File}
			if m.Report != nil {
				suite.Timestamp = junit.Time(m.Report.Started)
			}
			suites = append(suites, suite)
		}
		suite := &suites[len(suites)-1]
		suite.Cases = append(suite.Cases, junitMutant(m))
		suite.Seconds += junit.Seconds(m.Seconds)
		total += m.Seconds
	}
	return junit.Write(w, suites, total)
}

func junitMutant(m *MutantReport) junit.Case {
	c := junit.Case{Name: m.Mutant, Class: "mutants of " + m.Scenario, Line: m.Line, Seconds: junit.Seconds(m.Seconds)}
	var text strings.Builder
	text.WriteString("\n")
	WriteMutant(scenario.NewPretty(&text, scenario.Style{}), *m)
	problem := &junit.Problem{Message: string(m.Verdict) + ": " + m.Reason, Text: text.String()}
	switch m.Outcome() {
	case scenario.Passed:
	case scenario.Skipped:
		c.Skipped = &junit.Problem{Message: m.Reason}
	case scenario.Failed:
		c.Failure = problem
	default:
		c.Error = problem
	}
	return c
}
