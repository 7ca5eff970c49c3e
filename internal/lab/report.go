package lab

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Report is the result of a run of a lab.
type Report struct {
	Number int    `json:"number"`
	Lab    string `json:"lab"`
	Title  string `json:"title"`
	// Dir is the directory that was passed to Load.
	Dir       string `json:"dir"`
	Namespace string `json:"namespace"`
	// Address is the ingress address, as host:port.
	Address string           `json:"address"`
	Outcome scenario.Outcome `json:"outcome"`
	// Reason says in a sentence why the outcome is not Passed.
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started"`
	// Seconds is the duration of the run. It is 0 until the run ends.
	Seconds float64 `json:"seconds"`
	// Notes describe what the student should know about the namespace.
	Notes []string `json:"notes,omitempty"`
	// Before has the checks at start/. Solved has the check of each task after its solution. After
	// has all checks at the end.
	Before []CheckReport `json:"before"`
	Solved []CheckReport `json:"solved"`
	After  []CheckReport `json:"after"`
	// OnlyStarted reports that the run stops at start/.
	OnlyStarted bool `json:"onlyStarted,omitempty"`
	// Open lists URLs to open, with the ports of this cluster.
	Open []string `json:"open,omitempty"`
}

// CheckReport is the result of one task's check.
type CheckReport struct {
	Task  string `json:"task"`
	Title string `json:"title"`
	// Holds reports whether the check passed.
	Holds bool `json:"holds"`
	// Expected reports whether the result is right at this point of the run.
	Expected bool `json:"expected"`
	// Steps are the steps of the check up to the first failed one.
	Steps   []scenario.StepReport `json:"steps"`
	Outcome scenario.Outcome      `json:"outcome"`
	Seconds float64               `json:"seconds"`
}

// Progress receives the events of a run.
type Progress interface {
	// Started is called first, and Done is called last.
	Started(Report)
	Done(Report)
	// Phase announces the next part of the run.
	Phase(text string)
	// Note tells the student about a change in the namespace.
	Note(text string)
	// Checked is called after each check. solved reports whether the task's solution has been
	// applied.
	Checked(check CheckReport, solved bool)
}

type silent struct{}

func (silent) Started(Report)            {}
func (silent) Done(Report)               {}
func (silent) Phase(string)              {}
func (silent) Note(string)               {}
func (silent) Checked(CheckReport, bool) {}

// Pretty is a Progress that writes text for people.
type Pretty struct {
	w     io.Writer
	style scenario.Style
}

// NewPretty returns a Pretty that writes to w.
func NewPretty(w io.Writer, style scenario.Style) *Pretty { return &Pretty{w: w, style: style} }

// Started implements Progress.
func (p *Pretty) Started(r Report) {
	p.printf("lab %d: %s\n", r.Number, r.Title)
	p.printf("  %s\n", p.style.Dim("requests for any host go to "+r.Address))
}

// Phase implements Progress.
func (p *Pretty) Phase(text string) { p.printf("%s\n", text) }

// Note implements Progress.
func (p *Pretty) Note(text string) { p.printf("  %s %s\n", p.style.Mark("!"), text) }

// Checked implements Progress.
func (p *Pretty) Checked(c CheckReport, solved bool) {
	last, mark, details := c.Steps[len(c.Steps)-1], p.style.Mark("✓"), ""
	switch {
	case c.Holds && c.Expected && !solved:
		p.printf("  %s %s (passes at the start)\n", mark, c.Title)
	case c.Holds && c.Expected:
		p.printf("  %s %s %s\n", mark, c.Title, p.style.Dim(fmt.Sprintf("(%.1fs)", c.Seconds)))
		for _, step := range c.Steps {
			p.printf("      %s\n", p.style.Dim(step.Text))
		}
	case c.Expected:
		p.printf("  %s %s: not yet\n", p.style.Mark("○"), c.Title)
		details = last.Text
	case c.Holds:
		p.printf("  %s %s: passes before the task is done\n", p.style.Mark("✗"), c.Title)
	default:
		p.printf("  %s %s\n", p.style.Mark("✗"), c.Title)
		details = last.Text + " " + p.style.Dim(fmt.Sprintf("(%.1fs)", c.Seconds))
	}
	if details != "" {
		p.printf("      %s\n", details)
		scenario.NewPretty(p.w, p.style).Explain(last, "        ")
	}
}

// Done implements Progress.
func (p *Pretty) Done(r Report) {
	switch {
	case r.Outcome != scenario.Passed:
		p.printf("%s lab %d %s (%.1fs): %s\n", p.style.Mark("✗"), r.Number, scenario.OutcomeText(r.Outcome), r.Seconds, r.Reason)
	case r.OnlyStarted:
		p.printf("%s lab %d is ready in namespace %s (%.1fs)\n", p.style.Mark("✓"), r.Number, r.Namespace, r.Seconds)
	default:
		p.printf("%s lab %d passed (%.1fs); its solution keeps running in namespace %s\n", p.style.Mark("✓"), r.Number, r.Seconds, r.Namespace)
		for i, page := range r.Open {
			if i == 0 {
				p.printf("  open in a browser:\n")
			}
			p.printf("    %s\n", page)
		}
	}
}

func (p *Pretty) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format, args...) // a closed terminal must not fail the run
}

// Reports is the document that WriteJSON writes.
type Reports struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Outcome is the worst outcome of the reports.
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

// WriteJUnit writes reports as JUnit XML, with a suite for each lab and a case for each check.
func WriteJUnit(w io.Writer, reports []*Report) error {
	var suites []*scenario.Report
	for _, r := range reports {
		suites = append(suites, r.suite())
	}
	return scenario.WriteJUnit(w, suites)
}

// suite converts the report to a scenario's report.
func (r *Report) suite() *scenario.Report {
	s := &scenario.Report{
		Scenario: fmt.Sprintf("lab %d %s", r.Number, r.Lab), Title: r.Title, File: filepath.Join(r.Dir, LessonFile),
		Outcome: r.Outcome, Reason: r.Reason,
		Namespace: r.Namespace, Started: r.Started, Seconds: r.Seconds,
	}
	failed := false
	for _, part := range []struct {
		when   string
		checks []CheckReport
	}{{"from start/", r.Before}, {"with its solution", r.Solved}, {"at the end", r.After}} {
		for _, c := range part.checks {
			step := c.step(part.when)
			failed = failed || step.Outcome != scenario.Passed
			s.Steps = append(s.Steps, step)
		}
	}
	if !failed && r.Outcome != scenario.Passed { // the run failed outside of a check
		s.Steps = append(s.Steps, scenario.StepReport{Text: r.Title, Outcome: r.Outcome, Error: r.Reason})
	}
	return s
}

// step converts a check to a step, which passes if the result is expected. Its name does not depend
// on the result, because CI systems identify a case by its name.
func (c CheckReport) step(when string) scenario.StepReport {
	step := scenario.StepReport{Outcome: scenario.Passed}
	switch {
	case c.Expected:
	case c.Holds:
		step.Outcome, step.Error = scenario.Failed, "the check passes before the task is done"
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
