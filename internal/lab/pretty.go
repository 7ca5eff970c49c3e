package lab

import (
	"fmt"
	"io"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Pretty is a Progress that writes for a person.
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
	last := c.Steps[len(c.Steps)-1]
	switch {
	case c.Holds && c.Expected && !solved:
		p.printf("  %s %s (true from the start)\n", p.style.Mark("✓"), c.Title)
	case c.Holds && c.Expected:
		p.printf("  %s %s %s\n", p.style.Mark("✓"), c.Title, p.style.Dim(fmt.Sprintf("(%.1fs)", c.Seconds)))
		for _, step := range c.Steps {
			p.printf("      %s\n", p.style.Dim(step.Text))
		}
	case c.Expected:
		p.printf("  %s %s: not yet\n", p.style.Mark("○"), c.Title)
		p.printf("      %s\n", last.Text)
		p.explain(last)
	case c.Holds:
		p.printf("  %s %s: holds although nothing has been done\n", p.style.Mark("✗"), c.Title)
	default:
		p.printf("  %s %s\n", p.style.Mark("✗"), c.Title)
		p.printf("      %s %s\n", last.Text, p.style.Dim(fmt.Sprintf("(%.1fs)", c.Seconds)))
		p.explain(last)
	}
}

func (p *Pretty) explain(step scenario.StepReport) {
	scenario.NewPretty(p.w, p.style).Explain(step, "        ")
}

// Done implements Progress.
func (p *Pretty) Done(r Report) {
	if r.Outcome != scenario.Passed {
		p.printf("%s lab %d %s (%.1fs): %s\n", p.style.Mark("✗"), r.Number, scenario.OutcomeText(r.Outcome), r.Seconds, r.Reason)
		return
	}
	if r.OnlyStarted {
		p.printf("%s lab %d has begun (%.1fs), in namespace %s\n", p.style.Mark("✓"), r.Number, r.Seconds, r.Namespace)
		return
	}
	p.printf("%s lab %d passed (%.1fs); its solution keeps running in namespace %s\n", p.style.Mark("✓"), r.Number, r.Seconds, r.Namespace)
	for i, page := range r.Open {
		if i == 0 {
			p.printf("  open in a browser:\n")
		}
		p.printf("    %s\n", page)
	}
}

func (p *Pretty) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format, args...) // a terminal that is gone is nothing to fail for
}
