package scenario

import (
	"fmt"
	"io"
	"strings"

	"github.com/ingresslab/ingresslab/internal/text"
)

// Mutant writes what became of a mutant: a line, and all that explains it if it was not caught as it has to be.
func (p *Pretty) Mutant(m MutantReport) {
	p.printf("%s %s: %s: %s", p.mark(m.Outcome()), m.Scenario, m.Mutant, m.Verdict)
	if m.Report != nil {
		p.printf(" %s", p.style.Dim(fmt.Sprintf("(%.1fs)", m.Seconds)))
	}
	p.printf("\n    %s\n", p.style.Dim(m.Reason))
	if m.Outcome() == Passed || m.Outcome() == Skipped {
		return
	}
	p.printf("    %s\n", p.style.Dim(fmt.Sprintf("%s:%d", m.File, m.Line)))
	if m.Report == nil {
		return
	}
	if failed := m.Report.failed(); failed != nil {
		p.step(*failed, "    ")
	}
	if m.Report.Cleanup != "" {
		p.printf("    %s not everything could be removed: %s\n", p.style.Mark("!"), m.Report.Cleanup)
	}
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
	Outcome Outcome         `json:"outcome"`
	Mutants []*MutantReport `json:"mutants"`
}

// WriteMutants writes the reports of mutants as "json" or "junit".
func WriteMutants(w io.Writer, format string, reports []*MutantReport) error {
	if format == "junit" {
		return writeMutantsJUnit(w, reports)
	}
	doc := MutantReports{APIVersion: APIVersion, Kind: "MutantReports", Outcome: Passed, Mutants: reports}
	for _, m := range reports {
		doc.Outcome = Worst(doc.Outcome, m.Outcome())
	}
	return EncodeJSON(w, doc)
}

// writeMutantsJUnit makes a suite of each scenario and a case of each mutant.
func writeMutantsJUnit(w io.Writer, reports []*MutantReport) error {
	var doc junitReport
	for _, m := range reports {
		if n := len(doc.Suites); n == 0 || doc.Suites[n-1].Name != "mutants of "+m.Scenario {
			suite := junitSuite{Name: "mutants of " + m.Scenario, File: m.File}
			if m.Report != nil {
				suite.Timestamp = m.Report.Started.UTC().Format("2006-01-02T15:04:05Z07:00")
			}
			doc.Suites = append(doc.Suites, suite)
		}
		suite := &doc.Suites[len(doc.Suites)-1]
		c := junitMutant(m)
		suite.Cases = append(suite.Cases, c)
		suite.Seconds += c.Seconds
		suite.count(c)
	}
	for _, suite := range doc.Suites {
		doc.add(suite.junitCounts)
	}
	return EncodeJUnit(w, doc)
}

func junitMutant(m *MutantReport) junitCase {
	c := junitCase{Name: m.Mutant, Class: "mutants of " + m.Scenario, Line: m.Line, Seconds: seconds(m.Seconds)}
	var text strings.Builder
	text.WriteString("\n")
	NewPretty(&text, Style{}).Mutant(*m)
	problem := &junitProblem{Message: string(m.Verdict) + ": " + m.Reason, Text: text.String()}
	switch m.Outcome() {
	case Passed:
	case Skipped:
		c.Skipped = &junitProblem{Message: m.Reason}
	case Failed:
		c.Failure = problem
	default:
		c.Error = problem
	}
	return c
}
