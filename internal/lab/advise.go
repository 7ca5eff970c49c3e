package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Advise returns the hints for a task: first the lab's hints that match, then the other findings,
// then the default hints, and last the expected and actual results. It never returns an empty list.
func (s *Session) Advise(ctx context.Context, task string) ([]Advice, error) {
	t, err := s.lab.Task(task)
	if err != nil {
		return nil, err
	}
	seen := scenario.CheckOnce(ctx, s.env.Env, s.lab.Namespace, t.Check)
	snapshot, err := diagnosis.Take(ctx, s.env.Kube.Clientset(), s.lab.Namespace)
	if err != nil {
		return nil, err
	}
	findings := diagnosis.Diagnose(snapshot, s.lab.about(t, seen))
	var all []Advice
	used := map[int]bool{}
	for _, h := range s.lab.Hints {
		if len(h.Tasks) > 0 && !slices.Contains(h.Tasks, task) {
			continue
		}
		given, err := s.hint(ctx, h, findings, used, seen[len(seen)-1])
		if err != nil {
			return nil, err
		}
		all = append(all, given...)
	}
	for i, f := range findings {
		if !used[i] {
			all = append(all, Advice{Finding: &f, Levels: f.Levels()})
		}
	}
	if len(t.DefaultHints) > 0 {
		all = append(all, Advice{Levels: t.DefaultHints})
	}
	if last := seen[len(seen)-1]; last.Outcome != scenario.Passed || len(all) == 0 {
		all = append(all, Advice{Levels: []string{compared(last)}})
	}
	return all, ctx.Err()
}

// compared describes the expected and actual results of a step.
func compared(step scenario.StepReport) string {
	if step.Outcome == scenario.Passed {
		return "The task is done: " + step.Text + "."
	}
	lines := []string{step.Text}
	for _, m := range step.Mismatches {
		lines = append(lines, fmt.Sprintf("%s: expected %s, observed %s", m.Field, m.Expected, m.Observed))
	}
	if step.Error != "" {
		lines = append(lines, step.Error)
	}
	if step.Answer != nil && step.Answer.Reason != "" {
		lines = append(lines, "controller: "+step.Answer.Reason)
	}
	return strings.Join(lines, "\n")
}

// hint returns an advice for each finding that matches a hint.
func (s *Session) hint(ctx context.Context, h Hint, findings []diagnosis.Finding, used map[int]bool,
	last scenario.StepReport) ([]Advice, error) {
	var given []Advice
	if h.Finding == "" {
		steps := scenario.CheckOnce(ctx, s.env.Env, s.lab.Namespace, h.When)
		if steps[len(steps)-1].Outcome != scenario.Passed {
			return nil, ctx.Err()
		}
		var f diagnosis.Finding
		if len(last.Mismatches) > 0 {
			f = diagnosis.Finding{Field: last.Mismatches[0].Field, Expected: last.Mismatches[0].Expected, Observed: last.Mismatches[0].Observed}
		}
		levels, err := h.fill(f)
		return []Advice{{Hint: h.ID, Levels: levels}}, err
	}
	for i, f := range findings {
		if f.Code != h.Finding || h.Object != "" && !strings.EqualFold(h.Object, f.Object) {
			continue
		}
		levels, err := h.fill(f)
		if err != nil {
			return nil, err
		}
		used[i] = true
		given = append(given, Advice{Hint: h.ID, Finding: &f, Levels: levels})
	}
	return given, nil
}

// fill renders the levels of the hint for a finding.
func (h Hint) fill(f diagnosis.Finding) ([]string, error) {
	var levels []string
	for i, text := range h.Levels {
		t, err := parseLevel(h.ID, text)
		if err != nil {
			return nil, fmt.Errorf("level %d of hint %s: %w", i+1, h.ID, err)
		}
		var b strings.Builder
		if err := t.Execute(&b, blanks(f)); err != nil {
			return nil, fmt.Errorf("level %d of hint %s: %w", i+1, h.ID, err)
		}
		levels = append(levels, b.String())
	}
	return levels, nil
}

// blanks returns the fields that a level of a hint can use.
func blanks(f diagnosis.Finding) map[string]string {
	return map[string]string{"Object": f.Object, "Field": f.Field, "Observed": f.Observed, "Expected": f.Expected, "Text": f.Text}
}

func parseLevel(name, text string) (*template.Template, error) {
	return template.New(name).Option("missingkey=error").Parse(text)
}
