package compare

import (
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Side is a cluster and what the scenarios came to on it.
type Side struct {
	// Cluster is what the cluster is made with ("kind").
	Cluster string
	// Reports are in the order in which the scenarios ran; they are fewer than the scenarios if something ended the run.
	Reports []*scenario.Report
}

// Comparison is what two sides came to.
type Comparison struct {
	// Left and Right name the sides.
	Left, Right string
	// Rows has a row for each scenario, in the order of the left side; those that only the right side ran come last.
	Rows []Row
}

// Row is a scenario on both sides.
type Row struct {
	Scenario string
	// Left and Right are nil where the scenario did not run.
	Left, Right *Verdict
}

// Verdict is how a scenario ended on one side.
type Verdict struct {
	Outcome scenario.Outcome `json:"outcome"`
	Seconds float64          `json:"seconds"`
	// Step counts from 1 and says which step did not hold; 0 if all did or none ran.
	Step int `json:"step,omitempty"`
	// Field is what was not as expected in that step ("status"); empty if that is not what was wrong.
	Field string `json:"field,omitempty"`
	// Reason says why the outcome is not Passed: why it was skipped, or the first mismatch.
	Reason string `json:"reason,omitempty"`
}

// Compare puts the reports of two sides side by side.
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

// verdict is nil for no report.
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

// Same tells whether a scenario ended alike: with the same outcome, and if it was not to its end, in the same step because of
// the same field. What was observed there may name pods and addresses, which never are the same.
func (r Row) Same() bool {
	if r.Left == nil || r.Right == nil {
		return false
	}
	return r.Left.Outcome == r.Right.Outcome && r.Left.Step == r.Right.Step && r.Left.Field == r.Right.Field
}

// Differences are the rows that are not the same.
func (c Comparison) Differences() []Row {
	var rows []Row
	for _, r := range c.Rows {
		if !r.Same() {
			rows = append(rows, r)
		}
	}
	return rows
}
