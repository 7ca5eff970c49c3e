package labtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/text"
)

// tasks goes through the tasks in order. It applies and reverts each mutant of a task, and then solves the task.
func (p *labTest) tasks(ctx context.Context) {
	mutants := p.mutants()
	next := func(index int) []lab.Mutant {
		n := 0
		for n < len(mutants) && p.index(mutants[n].Task) <= index {
			n++
		}
		due := mutants[:n]
		mutants = mutants[n:]
		return due
	}
	var right finding
	place := len(p.item.Parts)
	for i := range p.lab.Tasks {
		for _, m := range next(i) {
			p.part(ctx, KindMutant, m.Name, p.at.mutant(m.Name), func(ctx context.Context) finding { return p.mutant(ctx, m) })
		}
		if begin := time.Now(); right.err == nil && ctx.Err() == nil && !p.isBroken() {
			p.solve(ctx, i, &right)
			right.took += time.Since(begin)
		}
	}
	p.part(ctx, KindSolution, "passes with solution/", p.at.tasks(), func(ctx context.Context) finding { return p.solution(ctx, right) })
	// The report says first whether the lab can be solved.
	if parts := p.item.Parts; len(parts) > place && parts[len(parts)-1].Kind == KindSolution {
		p.item.Parts = slices.Insert(parts[:len(parts)-1], place, parts[len(parts)-1])
	}
}

// solve solves a task, and runs its check.
func (p *labTest) solve(ctx context.Context, index int, f *finding) {
	task := p.lab.Tasks[index]
	if len(p.unsolved) > 0 {
		return
	}
	at, ok := p.upTo(ctx, index)
	if f.err = at.err; !ok || f.err != nil {
		return
	}
	if !task.PassesAtStart {
		if err := p.session.Solve(ctx, task.ID); err != nil {
			p.unsolved[task.ID] = true
			p.unsolvable(ctx, f, task, err)
			return
		}
		if fault, ok := p.holds(ctx, task, "fails after the task's solution"); !ok {
			p.unsolved[task.ID] = true
			f.faults = append(f.faults, fault)
			return
		}
	}
	if f.err = p.note(ctx, index+1); f.err != nil {
		return
	}
	// Hints for the next task can appear now.
	todo := slices.DeleteFunc(slices.Clone(p.lab.Tasks[index+1:]), func(t lab.Task) bool { return t.PassesAtStart })
	if len(todo) > 0 {
		f.err = p.listen(ctx, todo[0].ID)
	}
}

// solution runs all checks again at the end. f is the result of the single tasks.
func (p *labTest) solution(ctx context.Context, f finding) finding {
	if f.err != nil {
		return f
	}
	held := 0
	for _, task := range p.lab.Tasks[:p.solved] {
		if task.Transient {
			continue
		}
		if fault, ok := p.holds(ctx, task, "fails after all solutions"); !ok {
			f.faults = append(f.faults, fault)
			continue
		}
		held++
	}
	f.seen = fmt.Sprintf("%s solved, %s passed at the end", text.Count(len(p.todo()), "task"), text.Count(held, "check"))
	return f
}

// unsolvable reports a solution that failed.
func (p *labTest) unsolvable(ctx context.Context, f *finding, task lab.Task, err error) {
	if ctx.Err() != nil {
		f.err = err
		return
	}
	fault := p.at.task(task.ID)
	fault.Text = fmt.Sprintf("task %s: the solution fails: %v", task.ID, err)
	f.faults = append(f.faults, fault)
}
