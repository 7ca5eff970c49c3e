// Package compare compares the results of scenarios on two clusters. Embedded clusters should have the same results as kind
// clusters. Compare matches two lists of reports; WriteTable and WriteJSON print the result.
package compare

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// Side is a cluster with the reports of its scenarios.
type Side struct {
	Cluster string // the cluster's provider, such as "kind"
	// Reports are in the order in which the scenarios ran. After an interruption, some are missing.
	Reports []*scenario.Report
}

// Comparison is the result of two sides.
type Comparison struct {
	Left, Right string // Left and Right are the names of the sides.
	// Rows has one row for each scenario, in the order of the left side. Scenarios that only the right side ran come last.
	Rows []Row
}

// Row is the result of a scenario on both sides.
type Row struct {
	Scenario    string
	Left, Right *Verdict // Left and Right are nil if the scenario did not run there.
}

// Verdict is the result of a scenario on one side.
type Verdict struct {
	Outcome scenario.Outcome `json:"outcome"`
	Seconds float64          `json:"seconds"`
	// Step is the number of the failed step, from 1. It is 0 if no step failed.
	Step int `json:"step,omitempty"`
	// Field is the first field that differed from the expectation in that step ("status"), if any.
	Field string `json:"field,omitempty"`
	// Reason explains an outcome other than Passed: the reason for a skip, or the first mismatch.
	Reason string `json:"reason,omitempty"`
}

// Compare compares the reports of two sides.
func Compare(left, right Side) Comparison {
	c := Comparison{Left: left.Cluster, Right: right.Cluster}
	others := map[string]*scenario.Report{}
	for _, r := range right.Reports {
		others[r.Scenario] = r
	}
	for _, r := range left.Reports {
		c.Rows = append(c.Rows, Row{Scenario: r.Scenario, Left: verdict(r), Right: verdict(others[r.Scenario])})
		delete(others, r.Scenario)
	}
	for _, r := range right.Reports {
		if others[r.Scenario] != nil {
			c.Rows = append(c.Rows, Row{Scenario: r.Scenario, Right: verdict(r)})
		}
	}
	return c
}

// verdict summarizes a report. It returns nil for a nil report.
func verdict(r *scenario.Report) *Verdict {
	if r == nil {
		return nil
	}
	v := &Verdict{Outcome: r.Outcome, Seconds: r.Seconds}
	if r.Outcome == scenario.Passed {
		return v
	}
	v.Reason = r.Reason
	for _, s := range r.Steps {
		if s.Outcome == scenario.Passed {
			continue
		}
		v.Step, v.Reason = s.Number, s.Why()
		if len(s.Mismatches) > 0 {
			v.Field = s.Mismatches[0].Field
		}
		return v
	}
	return v
}

// Same reports whether outcome, failed step, and failed field agree. Pod names always differ.
func (r Row) Same() bool {
	if r.Left == nil || r.Right == nil {
		return false
	}
	return r.Left.Outcome == r.Right.Outcome && r.Left.Step == r.Right.Step && r.Left.Field == r.Right.Field
}

// Differences returns the rows whose sides differ.
func (c Comparison) Differences() []Row {
	var rows []Row
	for _, r := range c.Rows {
		if !r.Same() {
			rows = append(rows, r)
		}
	}
	return rows
}

// WriteTable writes one line for each difference, and a summary.
func WriteTable(w io.Writer, c Comparison) error {
	differences := c.Differences()
	if len(differences) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintf(table, "SCENARIO\tON %s\tON %s\n", c.Left, c.Right) // Flush returns the error
		for _, r := range differences {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", r.Scenario, r.Left.text(), r.Right.text())
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, c.summary())
	return err
}

func (c Comparison) summary() string {
	scenarios := text.Count(len(c.Rows), "scenario")
	if differ := len(c.Differences()); differ > 0 {
		return fmt.Sprintf("%s: %s and %s differ in %d", scenarios, c.Left, c.Right, differ)
	}
	summary := fmt.Sprintf("%s: same results on %s and %s", scenarios, c.Left, c.Right)
	failed := 0
	for _, r := range c.Rows {
		if r.Left == nil || r.Left.Outcome != scenario.Passed {
			failed++
		}
	}
	if failed > 0 {
		summary += fmt.Sprintf("; %d did not pass", failed)
	}
	return summary
}

// text returns the content of a table cell.
func (v *Verdict) text() string {
	if v == nil {
		return "did not run"
	}
	cell := scenario.OutcomeText(v.Outcome)
	if v.Step > 0 {
		cell += fmt.Sprintf(" in step %d", v.Step)
	}
	if v.Reason != "" {
		cell += ": " + v.Reason
	}
	return cell
}

// document is the JSON form of a Comparison.
type document struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Same       bool      `json:"same"`     // is true if all scenarios have the same results
	Clusters   [2]string `json:"clusters"` // the providers, which are also the keys of Verdicts
	Scenarios  []entry   `json:"scenarios"`
}

type entry struct {
	Scenario string `json:"scenario"`
	Same     bool   `json:"same"`
	// Verdicts omits a cluster on which the scenario did not run.
	Verdicts map[string]*Verdict `json:"verdicts"`
}

// WriteJSON writes all rows as an indented JSON document.
func WriteJSON(w io.Writer, c Comparison) error {
	doc := document{
		APIVersion: scenario.APIVersion, Kind: "Parity",
		Same: len(c.Differences()) == 0, Clusters: [2]string{c.Left, c.Right}, Scenarios: []entry{},
	}
	for _, r := range c.Rows {
		e := entry{Scenario: r.Scenario, Same: r.Same(), Verdicts: map[string]*Verdict{}}
		for name, v := range map[string]*Verdict{c.Left: r.Left, c.Right: r.Right} {
			if v != nil {
				e.Verdicts[name] = v
			}
		}
		doc.Scenarios = append(doc.Scenarios, e)
	}
	return scenario.EncodeJSON(w, doc)
}
