package compare

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// WriteTable writes the differences for people, a line for each, and a last line that sums up.
func WriteTable(w io.Writer, c Comparison) error {
	differences := c.Differences()
	if len(differences) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintf(table, "SCENARIO\tON %s\tON %s\n", c.Left, c.Right) // Flush says what went wrong
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

// summary is the last line.
func (c Comparison) summary() string {
	differ := len(c.Differences())
	if differ > 0 {
		return fmt.Sprintf("%s: %s and %s differ in %d", text.Count(len(c.Rows), "scenario"), c.Left, c.Right, differ)
	}
	text := fmt.Sprintf("%s: %s and %s agree", text.Count(len(c.Rows), "scenario"), c.Left, c.Right)
	if missed := len(c.Rows) - c.passed(); missed > 0 {
		text += fmt.Sprintf(", though %d did not pass on either", missed)
	}
	return text
}

func (c Comparison) passed() (n int) {
	for _, r := range c.Rows {
		if r.Left != nil && r.Left.Outcome == scenario.Passed {
			n++
		}
	}
	return n
}

// text is a cell of the table.
func (v *Verdict) text() string {
	if v == nil {
		return "did not run"
	}
	text := scenario.OutcomeText(v.Outcome)
	if v.Step > 0 {
		text += fmt.Sprintf(" in step %d", v.Step)
	}
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	return text
}
