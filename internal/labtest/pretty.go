package labtest

import (
	"fmt"
	"io"
	"strings"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// Pretty writes a line for each lab, scenario, and mutant, with the errors below.
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

// Absent writes why a cluster is not used.
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

// shownFaults is how many errors of one part are written: a lesson that was never recorded has dozens.
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

// summary returns the results of the item's parts in one line.
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
