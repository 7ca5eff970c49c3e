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

// mutants returns the mutants in the order of their tasks.
func (p *labTest) mutants() []lab.Mutant {
	sorted := slices.Clone(p.lab.Mutants)
	slices.SortStableFunc(sorted, func(a, b lab.Mutant) int { return cmp.Compare(p.index(a.Task), p.index(b.Task)) })
	return sorted
}

// index returns the index of the task with an ID, or -1 if the lab has none.
func (p *labTest) index(task string) int {
	return slices.IndexFunc(p.lab.Tasks, func(t lab.Task) bool { return t.ID == task })
}

// mutant applies one mutant, and checks that it is caught for the expected reason.
func (p *labTest) mutant(ctx context.Context, m lab.Mutant) finding {
	if why := p.env.Capabilities.Lacks(m.Requires...); len(why) > 0 {
		return finding{skipped: strings.Join(why, "; ")}
	}
	at := p.at.mutant(m.Name)
	fault := func(format string, args ...any) finding {
		return faulty(at.with("mutant %q: %s", m.Name, fmt.Sprintf(format, args...)))
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
		return fault("the API server accepts it, but must refuse it with %q", m.Refused)
	case m.Refused != "" && !strings.Contains(err.Error(), m.Refused):
		return fault("the API server refuses it, but not for the expected reason: got %v, want text %q", err, m.Refused)
	case m.Refused != "":
		return finding{seen: fmt.Sprintf("refused: %s", m.Refused)}
	case err != nil:
		return fault("its steps fail: %v; if the API server has to refuse it, set refused", err)
	}
	return p.caught(ctx, m, task, fault)
}

// caught waits until a mutant is in effect. Then its task has to fail, and its hint has to appear.
func (p *labTest) caught(ctx context.Context, m lab.Mutant, task lab.Task, fault func(string, ...any) finding) finding {
	if err := p.inEffect(ctx); err != nil {
		return finding{err: err}
	}
	report := scenario.ExpectFailure(ctx, p.env.Env.Env, p.lab.Namespace, task.Check, p.env.Timeouts.Failure)
	switch report.Outcome {
	case scenario.Failed:
	case scenario.Passed:
		return fault("it survives: the check of task %s passes, but must fail", task.ID)
	default:
		return finding{err: fmt.Errorf("mutant %q, task %s: %s", m.Name, task.ID, report.Why())}
	}
	given, ok, err := p.awaitAdvice(ctx, m, task)
	switch {
	case err != nil:
		return finding{err: err}
	case m.Hint == "":
		return fault("it has no hint; %s", adviceText(given))
	case !ok:
		return fault("it is caught for another reason: %s (%s), and hint %q does not appear; %s", report.Why(), report.Text, m.Hint,
			adviceText(given))
	}
	// The failure might come from the state before the mutant. This state has ended now, so repeat
	// the check.
	again := scenario.ExpectFailure(ctx, p.env.Env.Env, p.lab.Namespace, task.Check, p.env.Timeouts.Failure)
	if again.Outcome == scenario.Passed {
		return fault("it survives: the check of task %s fails at first, but passes later", task.ID)
	}
	return finding{seen: fmt.Sprintf("task %s: %s; hint %s", task.ID, report.Why(), m.Hint)}
}

// inEffect waits until a mutant is in effect. Its pods might never be ready.
func (p *labTest) inEffect(ctx context.Context) error {
	objects, err := p.session.Objects(ctx)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, p.env.Timeouts.Ready)
	defer cancel()
	err = p.env.Kube.WaitReady(within, workloads(objects)...)
	var notReady *kube.NotReadyError
	if err != nil && !errors.As(err, &notReady) && ctx.Err() == nil && within.Err() == nil {
		return err
	}
	sleep(ctx, p.env.Timeouts.Settle)
	return ctx.Err()
}

// awaitAdvice polls the advice until it has the mutant's hint, and returns the latest advice.
func (p *labTest) awaitAdvice(ctx context.Context, m lab.Mutant, task lab.Task) ([]lab.Advice, bool, error) {
	deadline := time.Now().Add(p.env.Timeouts.Advice)
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

// answers reports whether an advice matches hint, which is the ID of a hint or the code of a
// finding.
func answers(a lab.Advice, hint string) bool {
	return hint != "" && (a.Hint == hint || a.Finding != nil && a.Finding.Code == hint)
}

// adviceText lists the hints and findings of advice.
func adviceText(given []lab.Advice) string {
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
		return "only the default hints appear"
	}
	return "these appear: " + strings.Join(names, ", ")
}

// hints reports hints that never appeared, and tasks without hints.
func (p *labTest) hints(context.Context) finding {
	var f finding
	for i, h := range p.lab.Hints {
		if !p.reached[h.ID] {
			f.faults = append(f.faults, p.at.hint(i).with("hint %s: it appears neither at the start nor for any mutant: %s", h.ID, p.reasonOf(h)))
		}
	}
	for _, task := range p.todo() {
		helped := len(task.DefaultHints) > 0 || slices.ContainsFunc(p.lab.Hints, func(h lab.Hint) bool {
			return len(h.Tasks) == 0 ||
				slices.Contains(h.Tasks, task.ID)
		})
		if !helped {
			f.faults = append(f.faults, p.at.task(task.ID).with("task %s: it has neither default hints nor a hint", task.ID))
		}
	}
	if skipped := p.skippedMutants(); len(f.faults) > 0 && skipped > 0 {
		// A skipped mutant might have caused a hint that never appeared.
		f.skipped = fmt.Sprintf("%s skipped, and %s might need that", text.Count(skipped, "mutant"), text.Count(len(f.faults), "hint"))
		f.faults = nil
	}
	f.seen = fmt.Sprintf("%d of %d given", len(p.lab.Hints)-len(f.faults), len(p.lab.Hints))
	return f
}

func (p *labTest) skippedMutants() (n int) {
	for _, part := range p.item.Parts {
		if part.Kind == KindMutant && part.Outcome == scenario.Skipped {
			n++
		}
	}
	return n
}

// reasonOf returns the reason why a hint never appeared.
func (p *labTest) reasonOf(h lab.Hint) string {
	switch {
	case h.Finding == "":
		return "its check (when) never passed"
	case h.Object != "":
		return fmt.Sprintf("finding %s of %s was never reported", h.Finding, h.Object)
	}
	return fmt.Sprintf("finding %s was never reported", h.Finding)
}
