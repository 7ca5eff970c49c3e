package labtest

import (
	"fmt"
	"io"
	"strings"

	"github.com/ingresslab/ingresslab/internal/junit"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// Pretty writes a line for each lab, scenario, and mutant, with its errors.
type Pretty struct {
	w     io.Writer
	style scenario.Style
}

// NewPretty returns a Pretty that writes to w.
func NewPretty(w io.Writer, style scenario.Style) *Pretty { return &Pretty{w: w, style: style} }

// Place writes the name of a cluster.
func (p *Pretty) Place(place *ClusterReport) {
	p.printf("on %s: cluster %q %s\n", place.Provider, place.Cluster, p.style.Dim(fmt.Sprintf("(up in %.1fs)", place.UpSeconds)))
}

// Absent writes the reason why a cluster is not available.
func (p *Pretty) Absent(place *ClusterReport) {
	p.printf("%s on %s: %s: %s\n", p.mark(place.Outcome), place.Provider, scenario.OutcomeText(place.Outcome), place.Reason)
}

// Item writes the result of a lab or a scenario.
func (p *Pretty) Item(i *Item) {
	if i.Outcome == scenario.Skipped {
		p.printf("%s %s: skipped: %s\n", p.mark(i.Outcome), i.title(), i.Reason)
		return
	}
	try := ""
	if i.First != nil {
		try = "second try, alone: "
	}
	p.printf("%s %s: %s%s %s\n", p.mark(i.Outcome), i.title(), try, i.summary(), p.style.Dim(fmt.Sprintf("(%.1fs)", i.Seconds)))
	for _, part := range i.Parts {
		if part.Reason != notTried && (part.Kind == KindMutant || part.Outcome != scenario.Passed) {
			p.part(part)
		}
	}
}

func (p *Pretty) part(part Part) {
	what := part.Text
	if part.Kind == KindMutant {
		what = fmt.Sprintf("mutant %q", part.Text)
	}
	switch part.Outcome {
	case scenario.Passed:
		p.printf("    %s %s: %s\n", p.mark(part.Outcome), what, part.Seen)
	case scenario.Skipped:
		p.printf("    %s %s: skipped: %s\n", p.mark(part.Outcome), what, part.Reason)
	case scenario.Failed:
		p.printf("    %s %s\n", p.mark(part.Outcome), what)
	default:
		p.printf("    %s %s: %s: %s\n", p.mark(part.Outcome), what, scenario.OutcomeText(part.Outcome), part.Reason)
	}
	for i, fault := range part.Faults {
		if i == shownFaults && len(part.Faults) > shownFaults+1 {
			p.printf("        and %d more; -o json lists them\n", len(part.Faults)-shownFaults)
			break
		}
		p.printf("        %s\n", strings.ReplaceAll(strings.TrimSpace(fault.String()), "\n", "\n        "))
	}
}

// shownFaults limits the errors that are shown for one part. A lesson without recorded outputs has
// dozens.
const shownFaults = 3

// Done writes the summary of a cluster.
func (p *Pretty) Done(place *ClusterReport) {
	labs, scenarios, mutants, caught, bad := 0, 0, 0, 0, 0
	for _, i := range place.Items {
		if i.Kind == kindLab {
			labs++
		} else {
			scenarios++
		}
		passed, all := i.count(KindMutant)
		mutants, caught = mutants+all, caught+passed
		if i.Outcome != scenario.Passed && i.Outcome != scenario.Skipped {
			bad++
		}
	}
	text := fmt.Sprintf("%s, %s, %d of %s caught", text.Count(labs, "lab"), text.Count(scenarios, "scenario"), caught,
		text.Count(mutants, "mutant"))
	if bad > 0 {
		text += fmt.Sprintf("; %d failed", bad)
	}
	p.printf("%s on %s: %s: %s %s\n", p.mark(place.Outcome), place.Provider, scenario.OutcomeText(place.Outcome), text,
		p.style.Dim(fmt.Sprintf("(%.1fs)", place.Seconds)))
}

func (i *Item) summary() string {
	var seen []string
	mutants := false
	for _, part := range i.Parts {
		switch {
		case part.Kind == KindMutant && !mutants:
			mutants = true
			caught, all := i.count(KindMutant)
			seen = append(seen, fmt.Sprintf("%d of %s caught", caught, text.Count(all, "mutant")))
		case part.Kind == KindMutant || part.Outcome != scenario.Passed:
		case part.Kind == KindHints:
			seen = append(seen, "hints "+part.Seen)
		case part.Kind == KindLesson:
			seen = append(seen, part.Seen)
		default:
			seen = append(seen, part.Text)
		}
	}
	if len(seen) == 0 {
		return scenario.OutcomeText(i.Outcome)
	}
	return strings.Join(seen, ", ")
}

func (p *Pretty) mark(o scenario.Outcome) string {
	switch o {
	case scenario.Passed:
		return p.style.Mark("✓")
	case scenario.Skipped:
		return p.style.Mark("○")
	}
	return p.style.Mark("✗")
}

func (p *Pretty) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format, args...) // a closed terminal is not an error
}

type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	*Report
}

// WriteJSON writes a report as indented JSON with kind "Proof".
func WriteJSON(w io.Writer, report *Report) error {
	return scenario.EncodeJSON(w, document{scenario.APIVersion, "Proof", report})
}

// WriteJUnit writes a report as JUnit XML. A cluster that did not start is a suite with one case.
func WriteJUnit(w io.Writer, report *Report) error {
	var suites []junit.Suite
	total := 0.0
	for _, place := range report.Places {
		suites = append(suites, suitesOf(place)...)
		total += place.Seconds
	}
	return junit.Write(w, suites, total)
}

func suitesOf(place *ClusterReport) []junit.Suite {
	if len(place.Items) == 0 {
		whole := Part{Text: "the cluster", Outcome: place.Outcome, Reason: place.Reason}
		return []junit.Suite{suiteOf(place.Provider, &Item{Started: place.Started, Parts: []Part{whole}})}
	}
	var suites []junit.Suite
	for _, item := range place.Items {
		of := *item
		if len(of.Parts) == 0 {
			of.Parts = []Part{{Text: "all of it", File: item.File, Outcome: item.Outcome, Reason: item.Reason}}
		}
		suites = append(suites, suiteOf(place.Provider+": "+item.title(), &of))
	}
	return suites
}

func suiteOf(name string, item *Item) junit.Suite {
	suite := junit.Suite{Name: name, File: item.File, Timestamp: junit.Time(item.Started)}
	for _, part := range item.Parts {
		suite.Cases = append(suite.Cases, caseOf(name, part))
	}
	return suite.Took(item.Seconds)
}

func caseOf(class string, part Part) junit.Case {
	c := junit.Case{Name: part.Text, Class: class, File: part.File, Line: part.Line, Seconds: junit.Seconds(part.Seconds)}
	if part.Seen != "" {
		c.Output = &junit.Text{Text: part.Seen}
	}
	if part.Kind == KindMutant {
		c.Name = fmt.Sprintf("mutant %q is caught", part.Text)
	}
	var lines []string
	for _, fault := range part.Faults {
		lines = append(lines, fault.String())
	}
	problem := &junit.Problem{Message: part.Reason, Text: strings.Join(lines, "\n")}
	if problem.Message == "" && len(lines) > 0 {
		problem.Message = lines[0]
	}
	switch part.Outcome {
	case scenario.Passed:
	case scenario.Skipped:
		c.Skipped = problem
	case scenario.Failed, scenario.TimedOut:
		c.Failure = problem
	default:
		c.Error = problem
	}
	return c
}

// WriteMutant writes the result of a mutant as text, with an explanation unless it was caught.
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

// CountVerdicts returns the number of mutants for each verdict in one line.
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
	// Outcome is Passed if no mutant failed.
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
