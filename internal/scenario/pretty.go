package scenario

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// Pretty is a Progress that writes text: a line for each step, and the explanation of a failure.
type Pretty struct {
	w     io.Writer
	style Style
}

// Style describes the output. The zero Style is that of a plain file.
type Style struct {
	// Color enables ANSI colors. Set it for a terminal, unless NO_COLOR is set
	// (https://no-color.org).
	Color bool
	Live  bool // Live lets a line overwrite the line before. Set it for a terminal without other output.
	// Flags are the flags that select the cluster in suggested commands. They start with a space,
	// or are empty.
	Flags string
}

// NewPretty returns a Pretty that writes to w.
func NewPretty(w io.Writer, style Style) *Pretty { return &Pretty{w: w, style: style} }

// The ANSI sequences in use:
// https://www.ecma-international.org/publications-and-standards/standards/ecma-48/.
const (
	green     = "\x1b[32m"
	red       = "\x1b[31m"
	yellow    = "\x1b[33m"
	dim       = "\x1b[2m"
	normal    = "\x1b[0m"
	eraseLine = "\r\x1b[K"
)

// liveWidth is the longest line that can be overwritten. The first part of a wrapped line would
// remain.
const liveWidth = 76

// ScenarioStarted implements Progress.
func (p *Pretty) ScenarioStarted(r Report) {
	if r.Outcome == Skipped {
		return
	}
	p.Printf("%s %s\n", "scenario "+r.Scenario+":", r.Title)
	if r.Namespace == "" {
		return
	}
	where := "namespace " + r.Namespace
	if r.Seed != 0 {
		where += fmt.Sprintf(", seed %d", r.Seed)
	}
	p.Printf("  %s\n", p.Dim(where))
}

// StepStarted implements Progress.
func (p *Pretty) StepStarted(s StepReport) {
	if !p.style.Live {
		return
	}
	text := []rune(s.Title())
	if len(text) > liveWidth {
		text = append(text[:liveWidth-3], '.', '.', '.')
	}
	p.Printf("  %s %s", p.Dim("…"), string(text))
}

// StepDone implements Progress.
func (p *Pretty) StepDone(s StepReport) {
	if p.style.Live {
		p.Printf("%s", eraseLine)
	}
	p.Step(s, "  ")
}

// Step writes a completed step and its nested steps.
func (p *Pretty) Step(s StepReport, indent string) {
	effort := s.effort()
	if s.Outcome == Skipped {
		effort = "(not run)"
	}
	p.Printf("%s%s %s %s\n", indent, p.Mark(s.Outcome), s.Title(), p.Dim(effort))
	for _, line := range []string{s.Summary, s.Share.line()} {
		if line != "" {
			p.Printf("%s    %s\n", indent, p.Dim(line))
		}
	}
	for _, inside := range s.While {
		p.Step(inside, indent+"    ")
	}
	if s.Outcome != Passed && s.Outcome != Skipped {
		p.Explain(s, indent+"    ")
	}
}

// ScenarioDone implements Progress.
func (p *Pretty) ScenarioDone(r Report) {
	for _, s := range r.Steps {
		if s.Outcome == Skipped {
			p.Step(s, "  ")
		}
	}
	p.Printf("%s %s %s", p.Mark(r.Outcome), r.Scenario, OutcomeText(r.Outcome))
	if r.Outcome != Skipped {
		p.Printf(" %s", p.Dim(fmt.Sprintf("(%.1fs)", r.Seconds)))
	}
	if r.Reason != "" {
		p.Printf(": %s", r.Reason)
	}
	p.Printf("\n")
	if r.Kept {
		p.Printf("  namespace %s is kept; remove it with: kubectl delete namespace %[1]s\n", r.Namespace)
	}
	if len(r.Changed) > 0 {
		p.Printf("  changed outside the namespace and not restored: %s\n", strings.Join(r.Changed, ", "))
	}
	if r.Kept && r.Next > 0 {
		p.Printf("  continue with: ingresslab run %s%s --run-id %s --from-step %d\n", r.Scenario, p.style.Flags, r.Run, r.Next)
	}
	p.Cleanup(r.Cleanup, "  ")
}

// Cleanup reports what could not be removed. If problem is empty, it writes nothing.
func (p *Pretty) Cleanup(problem, indent string) {
	if problem != "" {
		p.Printf("%s%s not everything could be removed: %s\n", indent, p.style.Mark("!"), problem)
	}
}

// Dim returns dimmed text.
func (p *Pretty) Dim(text string) string { return p.style.Dim(text) }

// Explain writes everything that explains a failed step, each line after indent.
func (p *Pretty) Explain(s StepReport, indent string) {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, m := range s.Mismatches {
		writeMismatch(table, m)
	}
	_ = table.Flush() // a strings.Builder never fails
	reason := ""
	if s.Answer != nil {
		reason = s.Answer.Reason
	}
	for _, line := range []struct{ label, text string }{{"the controller says", reason}, {"error", s.Error}, {"note", s.Note}} {
		if line.text != "" {
			fmt.Fprintf(&b, "%s: %s\n", line.label, line.text)
		}
	}
	if s.Diagnostics != nil {
		s.Diagnostics.write(&b)
	}
	for line := range strings.Lines(b.String()) {
		p.Printf("%s%s\n", indent, strings.TrimRight(line, " \n"))
	}
}

// widestField is the longest field whose expected value is on the same line.
const widestField = 48

func writeMismatch(w io.Writer, m probe.Mismatch) {
	if len(m.Field) > widestField {
		_, _ = fmt.Fprintf(w, "%s\n  expected %s\n  observed %s\n", m.Field, m.Expected, m.Observed)
		return
	}
	_, _ = fmt.Fprintf(w, "%s\texpected %s\n\tobserved %s\n", m.Field, m.Expected, m.Observed)
}

// write writes the diagnostics, one line for each fact.
func (d *Diagnostics) write(b *strings.Builder) {
	for _, i := range d.Ingresses {
		fmt.Fprintf(b, "ingress %s: class %s, address %s\n", i.Name, cmp.Or(i.Class, "none"), cmp.Or(strings.Join(i.Addresses, ", "), "none"))
		for _, rule := range i.Rules {
			fmt.Fprintf(b, "  %s\n", rule)
		}
	}
	for _, s := range d.Services {
		fmt.Fprintf(b, "service %s: %s; %s, %d not ready\n", s.Name, strings.Join(s.Ports, ", "), readyEndpoints(s.Ready), s.NotReady)
	}
	for _, pod := range d.Pods {
		fmt.Fprintf(b, "pod %s\n", pod)
	}
	for _, event := range d.Events {
		fmt.Fprintf(b, "warning on %s\n", event)
	}
	if len(d.Explanation) > 0 {
		fmt.Fprintf(b, "the controller explains:\n")
		for _, line := range d.Explanation {
			fmt.Fprintf(b, "  %s\n", line)
		}
	}
	for _, log := range d.Logs {
		fmt.Fprintf(b, "log of pod %s:\n", log.Pod)
		for _, line := range log.Lines {
			fmt.Fprintf(b, "  %s\n", line)
		}
	}
	if d.Error != "" {
		fmt.Fprintf(b, "not everything could be collected: %s\n", d.Error)
	}
}

func (s StepReport) label() string { return cmp.Or(s.Name, fmt.Sprint(s.Number)) }

// Title is the name and the text of the step.
func (s StepReport) Title() string {
	switch {
	case s.Name == "":
		return s.Text
	case s.Text == "":
		return s.Name
	}
	return s.Name + ": " + s.Text
}

// effort returns the duration of the step. It adds the number of polls if the step needed more than
// steady.
func (s StepReport) effort() string {
	if s.Tries > steady && s.Summary == "" {
		return fmt.Sprintf("(%.1fs, %d tries)", s.Seconds, s.Tries)
	}
	return fmt.Sprintf("(%.1fs)", s.Seconds)
}

// OutcomeText returns an outcome as the predicate of a sentence.
func OutcomeText(o Outcome) string {
	switch o {
	case TimedOut:
		return "timed out"
	case Skipped:
		return "was skipped"
	case Broken:
		return "could not run"
	case Interrupted:
		return "was interrupted"
	}
	return string(o)
}

// Mark returns the mark of an outcome.
func (p *Pretty) Mark(o Outcome) string {
	switch o {
	case Passed:
		return p.style.Mark("✓")
	case Skipped:
		return p.style.Mark("-")
	}
	return p.style.Mark("✗")
}

// Mark returns a mark in its color: ✓ in green, ✗ in red, others in yellow.
func (s Style) Mark(mark string) string {
	switch mark {
	case "✓":
		return s.paint(green, mark)
	case "✗":
		return s.paint(red, mark)
	}
	return s.paint(yellow, mark)
}

// Dim returns dimmed text.
func (s Style) Dim(text string) string { return s.paint(dim, text) }

func (s Style) paint(color, text string) string {
	if !s.Color {
		return text
	}
	return color + text + normal
}

// Printf writes formatted text.
func (p *Pretty) Printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format, args...) // a closed terminal is not an error
}
