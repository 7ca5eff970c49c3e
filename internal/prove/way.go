package prove

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// upTo brings the lab to where the task of an index is the next one to do: from where the mutant before began, if that can be had
// back without a pod being started, and from start/ otherwise.
func (p *labProof) upTo(ctx context.Context, index int) (finding, bool) {
	for _, before := range p.lab.Tasks[:index] {
		if p.unsolved[before.ID] {
			return finding{skipped: fmt.Sprintf("task %s, which comes before, is not solved by its solution", before.ID)}, false
		}
	}
	if p.solved > index || !p.undone(ctx) {
		p.before, p.solved = nil, 0
		if _, err := p.session.Start(ctx); err != nil {
			return finding{err: err}, false
		}
	}
	for _, task := range p.lab.Tasks[p.solved:index] {
		if task.StartsTrue {
			continue
		}
		if err := p.session.Solve(ctx, task.ID); err != nil {
			return finding{err: fmt.Errorf("task %s, which comes before: %w", task.ID, err)}, false
		}
	}
	var err error
	p.solved = index
	if p.before, err = p.session.Holdings(ctx); err != nil {
		return finding{err: err}, false
	}
	return finding{}, true
}

// undone takes away what the last mutant has added, and tells whether everything is as it was before it. Whatever else a mutant has
// done is left to a start from the beginning: so are pods.
func (p *labProof) undone(ctx context.Context) bool {
	if p.before == nil {
		return false
	}
	now, err := p.session.Holdings(ctx)
	if err != nil {
		return false
	}
	there := func(o *unstructured.Unstructured, in []*unstructured.Unstructured) bool {
		return slices.ContainsFunc(in, func(other *unstructured.Unstructured) bool { return id(o, "") == id(other, "") })
	}
	var added []*unstructured.Unstructured
	for _, o := range now {
		switch {
		case there(o, p.before):
		case o.GetNamespace() != p.lab.Namespace || !slices.Contains([]string{"ConfigMap", "Ingress", "Secret", "Service"}, o.GetKind()):
			return false
		default:
			added = append(added, o)
		}
	}
	if slices.ContainsFunc(p.before, func(o *unstructured.Unstructured) bool { return !there(o, now) }) || len(differences(p.before, now)) > 0 {
		return false
	}
	return p.env.Kube.Delete(ctx, added...) == nil && p.settled(ctx)
}

// settled waits until the pods are ready that a mutant may have done something to.
func (p *labProof) settled(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, p.env.Patience.Ready)
	defer cancel()
	return p.env.Kube.WaitReady(within, workloads(p.before)...) == nil
}
