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

// Advise returns the hints for a task that is not done: first those of the lab whose finding
// applies, then other findings, then the task's default hints, and last the expected and observed
// results. It is never empty.
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
			all = append(all, Advice{Finding: &f, Tiers: f.Levels()})
		}
	}
	if len(t.DefaultHints) > 0 {
		all = append(all, Advice{Tiers: t.DefaultHints})
	}
	if last := seen[len(seen)-1]; last.Outcome != scenario.Passed || len(all) == 0 {
		all = append(all, Advice{Tiers: []string{compared(last)}})
	}
	return all, ctx.Err()
}

// compared returns the expected and observed results, or that the task is done.
func compared(step scenario.StepReport) string {
	if step.Outcome == scenario.Passed {
		return "The task is done: " + step.Text + "."
	}
	lines := []string{step.Text}
	for _, m := range step.Mismatches {
		lines = append(lines, fmt.Sprintf("%s: expected %s, seen %s", m.Field, m.Expected, m.Observed))
	}
	if step.Error != "" {
		lines = append(lines, step.Error)
	}
	if step.Answer != nil && step.Answer.Reason != "" {
		lines = append(lines, "the controller says: "+step.Answer.Reason)
	}
	return strings.Join(lines, "\n")
}

// hint returns the levels of a hint for each finding that it applies to; nothing if there is none.
func (s *Session) hint(ctx context.Context, h Hint, findings []diagnosis.Finding, used map[int]bool, last scenario.StepReport) ([]Advice, error) {
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
		tiers, err := h.fill(f)
		return []Advice{{Hint: h.ID, Tiers: tiers}}, err
	}
	for i, f := range findings {
		if f.Code != h.Finding || h.Object != "" && !strings.EqualFold(h.Object, f.Object) {
			continue
		}
		tiers, err := h.fill(f)
		if err != nil {
			return nil, err
		}
		used[i] = true
		given = append(given, Advice{Hint: h.ID, Finding: &f, Tiers: tiers})
	}
	return given, nil
}

// fill puts what was found into the hint's tiers.
func (h Hint) fill(f diagnosis.Finding) ([]string, error) {
	var tiers []string
	for i, text := range h.Levels {
		t, err := parseTier(h.ID, text)
		if err != nil {
			return nil, fmt.Errorf("tier %d of hint %s: %w", i+1, h.ID, err)
		}
		var b strings.Builder
		if err := t.Execute(&b, blanks(f)); err != nil {
			return nil, fmt.Errorf("tier %d of hint %s: %w", i+1, h.ID, err)
		}
		tiers = append(tiers, b.String())
	}
	return tiers, nil
}

// blanks are the fields that a level can use.
func blanks(f diagnosis.Finding) map[string]string {
	return map[string]string{"Object": f.Object, "Field": f.Field, "Observed": f.Observed, "Expected": f.Expected, "Text": f.Text}
}

func parseTier(name, text string) (*template.Template, error) {
	return template.New(name).Option("missingkey=error").Parse(text)
}
