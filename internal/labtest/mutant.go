package labtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// mutants are the lab's wrong answers in the order of their tasks, so that a solution before them that fails is met once.
func (p *labProof) mutants() []lab.Mutant {
	sorted := slices.Clone(p.lab.Mutants)
	slices.SortStableFunc(sorted, func(a, b lab.Mutant) int { return cmp.Compare(p.index(a.Task), p.index(b.Task)) })
	return sorted
}

// index is the place of a task in the lab; -1 if there is none of the id.
func (p *labProof) index(task string) int {
	return slices.IndexFunc(p.lab.Tasks, func(t lab.Task) bool { return t.ID == task })
}

// mutant gives one wrong answer, and shows that it is caught for the reason that it says.
func (p *labProof) mutant(ctx context.Context, m lab.Mutant) finding {
	if why := p.env.Capabilities.Lacks(m.Requires...); len(why) > 0 {
		return finding{skipped: strings.Join(why, "; ")}
	}
	at := p.at.mutant(m.Name)
	fault := func(format string, args ...any) finding {
		at.Text = fmt.Sprintf("mutant %q: ", m.Name) + fmt.Sprintf(format, args...)
		return faulty(at)
	}
	index := p.index(m.Task)
	if index < 0 {
		return fault("there is no task %q", m.Task)
	}
	task := p.lab.Tasks[index]
	if f, ok := p.upTo(ctx, index); !ok || f.err != nil {
		return f
	}
	err := p.session.Mistake(ctx, m)
	switch {
	case ctx.Err() != nil:
		return finding{err: ctx.Err()}
	case m.Refused != "" && err == nil:
		return fault("the API server takes it, and was to refuse it with %q", m.Refused)
	case m.Refused != "" && !strings.Contains(err.Error(), m.Refused):
		return fault("it is refused for another reason: %v; expected text: %q", err, m.Refused)
	case m.Refused != "":
		return finding{seen: fmt.Sprintf("refused: %s", m.Refused)}
	case err != nil:
		return fault("it cannot be carried out: %v (if the API server is meant to refuse it, say so with refused)", err)
	}
	return p.caught(ctx, m, task, fault)
}

// caught looks at a wrong answer once it is in force: its task is not done, and the student is told why.
func (p *labProof) caught(ctx context.Context, m lab.Mutant, task lab.Task, fault func(string, ...any) finding) finding {
	if err := p.inForce(ctx); err != nil {
		return finding{err: err}
	}
	report := scenario.ExpectFailure(ctx, p.env.Env.Env, p.lab.Namespace, task.Check, p.env.Patience.Refute)
	switch report.Outcome {
	case scenario.Failed:
	case scenario.Passed:
		return fault("it survives: the check of task %s holds", task.ID)
	default:
		return finding{err: fmt.Errorf("mutant %q, task %s: %s", m.Name, task.ID, report.Why())}
	}
	given, ok, err := p.awaitAdvice(ctx, m, task)
	switch {
	case err != nil:
		return finding{err: err}
	case m.Hint == "":
		return fault("it does not say which hint answers it; %s", whatWasGiven(given))
	case !ok:
		return fault("it is caught for another reason: %s (%s), and the hint %q is not given; %s", report.Why(), report.Text, m.Hint, whatWasGiven(given))
	}
	// What refuted the check may have been the state before: by now it would be over.
	again := scenario.ExpectFailure(ctx, p.env.Env.Env, p.lab.Namespace, task.Check, p.env.Patience.Refute)
	if again.Outcome == scenario.Passed {
		return fault("it survives: the check of task %s holds after a while", task.ID)
	}
	return finding{seen: fmt.Sprintf("task %s: %s; hint %s", task.ID, report.Why(), m.Hint)}
}

// inForce waits until a wrong answer has had its effect. Its pods may never be ready: that, too, is an effect.
func (p *labProof) inForce(ctx context.Context) error {
	objects, err := p.session.Holdings(ctx)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, p.env.Patience.Ready)
	defer cancel()
	err = p.env.Kube.WaitReady(within, workloads(objects)...)
	var notReady *kube.NotReadyError
	if err != nil && !errors.As(err, &notReady) && ctx.Err() == nil && within.Err() == nil {
		return err
	}
	sleep(ctx, p.env.Patience.Settle)
	return ctx.Err()
}

// awaitAdvice asks for advice until the mutant's hint is in it. What was given last is returned in any case.
func (p *labProof) awaitAdvice(ctx context.Context, m lab.Mutant, task lab.Task) ([]lab.Advice, bool, error) {
	deadline := time.Now().Add(p.env.Patience.Advice)
	for {
		given, err := p.advice(ctx, task.ID)
		if err != nil {
			return given, false, err
		}
		if slices.ContainsFunc(given, func(a lab.Advice) bool { return answers(a, m.Hint) }) {
			return given, true, nil
		}
		if m.Hint == "" || time.Now().After(deadline) || ctx.Err() != nil {
			return given, false, ctx.Err()
		}
		sleep(ctx, poll)
	}
}

// answers tells whether an advice is the hint of an id, or about the fault of a code.
func answers(a lab.Advice, hint string) bool {
	return hint != "" && (a.Hint == hint || a.Finding != nil && a.Finding.Code == hint)
}

// whatWasGiven lists advice by what a mutant would call it.
func whatWasGiven(given []lab.Advice) string {
	var names []string
	for _, a := range given {
		switch {
		case a.Hint != "" && a.Finding != nil:
			names = append(names, fmt.Sprintf("%s (%s of %s)", a.Hint, a.Finding.Code, a.Finding.Object))
		case a.Hint != "":
			names = append(names, a.Hint)
		case a.Finding != nil:
			names = append(names, fmt.Sprintf("%s of %s", a.Finding.Code, a.Finding.Object))
		}
	}
	if len(names) == 0 {
		return "given is the task's guide alone"
	}
	return "given are: " + strings.Join(names, ", ")
}

// hints finds the hints that were never given, and the tasks about which there is nothing to say.
func (p *labProof) hints(context.Context) finding {
	var f finding
	for i, h := range p.lab.Hints {
		if !p.reached[h.ID] {
			at := p.at.hint(i)
			at.Text = fmt.Sprintf("hint %s: it is given neither from start/ nor for any mutant: %s", h.ID, p.faultOf(h))
			f.faults = append(f.faults, at)
		}
	}
	for _, task := range p.todo() {
		helped := len(task.DefaultHints) > 0 || slices.ContainsFunc(p.lab.Hints, func(h lab.Hint) bool { return len(h.Tasks) == 0 || slices.Contains(h.Tasks, task.ID) })
		if !helped {
			at := p.at.task(task.ID)
			at.Text = fmt.Sprintf("task %s: it has neither a guide nor a hint", task.ID)
			f.faults = append(f.faults, at)
		}
	}
	if skipped := p.skippedMutants(); len(f.faults) > 0 && skipped > 0 {
		// What only a mutant shows that cannot be made here is not known to be unreachable.
		f.skipped = fmt.Sprintf("%s skipped, and %s may depend on that", text.Count(skipped, "mutant"), text.Count(len(f.faults), "hint"))
		f.faults = nil
	}
	f.seen = fmt.Sprintf("%d of %d given", len(p.lab.Hints)-len(f.faults), len(p.lab.Hints))
	return f
}

func (p *labProof) skippedMutants() (n int) {
	for _, part := range p.item.Parts {
		if part.Kind == KindMutant && part.Outcome == scenario.Skipped {
			n++
		}
	}
	return n
}

// faultOf says when a hint would be given.
func (p *labProof) faultOf(h lab.Hint) string {
	switch {
	case h.Finding == "":
		return "its check (when) never held"
	case h.Object != "":
		return fmt.Sprintf("%s of %s was never found", h.Finding, h.Object)
	}
	return fmt.Sprintf("the fault %s was never found", h.Finding)
}
