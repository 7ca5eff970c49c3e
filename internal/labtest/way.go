package labtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// tasks tests the tasks in order. It applies and reverts each mutant of a task, and then solves the
// task.
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
	// In the report, the solution comes before the mutants.
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

// solution repeats all checks at the end. f has the results of the tasks so far.
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

// unsolvable adds an error for a solution that failed.
func (p *labTest) unsolvable(ctx context.Context, f *finding, task lab.Task, err error) {
	if ctx.Err() != nil {
		f.err = err
		return
	}
	f.faults = append(f.faults, p.at.task(task.ID).with("task %s: the solution fails: %v", task.ID, err))
}

// upTo prepares the task at index. It reverts the last changes if they are known, or otherwise
// starts the lab again.
func (p *labTest) upTo(ctx context.Context, index int) (finding, bool) {
	for _, before := range p.lab.Tasks[:index] {
		if p.unsolved[before.ID] {
			return finding{skipped: fmt.Sprintf("task %s, which comes before, fails with its solution", before.ID)}, false
		}
	}
	if p.before != nil && p.solved == index && p.undone(ctx) {
		return finding{}, true
	}
	p.before = nil
	if _, err := p.session.Start(ctx); err != nil {
		return finding{err: err}, false
	}
	for _, task := range p.lab.Tasks[:index] {
		if task.PassesAtStart {
			continue
		}
		if err := p.session.Solve(ctx, task.ID); err != nil {
			return finding{err: fmt.Errorf("task %s, which comes before: %w", task.ID, err)}, false
		}
	}
	return finding{err: p.note(ctx, index)}, true
}

// note records the present objects, when so many tasks are solved.
func (p *labTest) note(ctx context.Context, solved int) (err error) {
	p.solved = solved
	p.before, err = p.session.Objects(ctx)
	return err
}

// undone reverts the changes since the last note, and reports whether it succeeded. It cannot
// revert the controller's settings.
func (p *labTest) undone(ctx context.Context) bool {
	now, err := p.session.Objects(ctx)
	if err != nil {
		return false
	}
	remove, restore, isPossible := wayBack(p.before, now)
	if !isPossible {
		return false
	}
	pods := workloads(remove)
	others := slices.DeleteFunc(remove, func(o *unstructured.Unstructured) bool { return slices.Contains(pods, o) })
	k := p.env.Kube
	if k.Delete(ctx, others...) != nil || scenario.Retire(ctx, k, pods...) != nil || k.Apply(ctx, restore...) != nil {
		return false
	}
	return p.settled(ctx)
}

// wayBack returns the objects to remove and then the objects to apply, to restore the state before.
// It cannot restore the controller's ConfigMap, or a Deployment with several revisions, whose
// history would be lost.
func wayBack(before, now []*unstructured.Unstructured) (remove, restore []*unstructured.Unstructured, isPossible bool) {
	counterpart := func(o *unstructured.Unstructured, in []*unstructured.Unstructured) *unstructured.Unstructured {
		if i := slices.IndexFunc(in, func(other *unstructured.Unstructured) bool { return id(o, "") == id(other, "") }); i >= 0 {
			return in[i]
		}
		return nil
	}
	var scaled []*unstructured.Unstructured
	for _, o := range now {
		switch was := counterpart(o, before); {
		case was == nil || differ(was, o) && differ(ofSize(was, o), o):
			remove = append(remove, o)
		case differ(was, o):
			scaled = append(scaled, o)
		}
	}
	for _, o := range before {
		isRemade := counterpart(o, now) == nil || counterpart(o, remove) != nil
		if isRemade && (isSettings(o) || o.GetKind() == "Deployment" && revision(o) > 1) {
			return nil, nil, false
		}
		if isRemade || counterpart(o, scaled) != nil {
			restore = append(restore, recreatable(o))
		}
	}
	return remove, restore, !slices.ContainsFunc(remove, isSettings)
}

func isSettings(o *unstructured.Unstructured) bool {
	return o.GetKind() == "ConfigMap" && o.GetNamespace() == lab.ControllerNamespace
}

// revision returns the revision of a Deployment
// (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#checking-rollout-history-of-a-deployment).
func revision(o *unstructured.Unstructured) int {
	n, err := strconv.Atoi(o.GetAnnotations()[revisionAnnotation])
	if err != nil {
		return 0
	}
	return n
}

const revisionAnnotation = "deployment.kubernetes.io/revision"

// ofSize returns a copy of o with the replicas of other.
func ofSize(o, other *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	n, found, _ := unstructured.NestedFieldNoCopy(other.Object, "spec", "replicas")
	if spec, ok := o.Object["spec"].(map[string]any); ok && found {
		spec["replicas"] = n
	}
	return o
}

func differ(was, is *unstructured.Unstructured) bool {
	return len(differences([]*unstructured.Unstructured{was}, []*unstructured.Unstructured{is})) > 0
}

// recreatable returns a copy of an object without the fields that the API server sets.
func recreatable(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	metadata := map[string]any{"name": o.GetName(), "namespace": o.GetNamespace()}
	for _, field := range []string{"annotations", "labels"} {
		if value, found, _ := unstructured.NestedFieldNoCopy(o.Object, "metadata", field); found {
			metadata[field] = value
		}
	}
	o.Object["metadata"] = metadata
	unstructured.RemoveNestedField(o.Object, "metadata", "annotations", revisionAnnotation)
	if o.GetKind() == "Pod" {
		unstructured.RemoveNestedField(o.Object, "spec", "nodeName")
	}
	delete(o.Object, "status")
	if address, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP"); address != "None" {
		unstructured.RemoveNestedField(o.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(o.Object, "spec", "clusterIPs")
	}
	return o
}

func (p *labTest) settled(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, p.env.Timeouts.Ready)
	defer cancel()
	return p.env.Kube.WaitReady(within, workloads(p.before)...) == nil
}
