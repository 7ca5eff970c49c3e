package prove

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
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

// undone takes back what the last mutant has done, and tells whether everything is as it was before it. What it has done to pods, and
// to the controller's settings, is left to a start from the beginning.
func (p *labProof) undone(ctx context.Context) bool {
	if p.before == nil {
		return false
	}
	now, err := p.session.Holdings(ctx)
	if err != nil {
		return false
	}
	remove, restore, isPossible := wayBack(p.before, now)
	if !isPossible || p.env.Kube.Delete(ctx, remove...) != nil || p.env.Kube.Apply(ctx, restore...) != nil {
		return false
	}
	return p.settled(ctx)
}

// wayBack returns which of the objects that there are now have to be removed, and which have to be made then, for all to be as before.
// It is not possible if one of them has pods, or is the controller's ConfigMap.
func wayBack(before, now []*unstructured.Unstructured) (remove, restore []*unstructured.Unstructured, isPossible bool) {
	counterpart := func(o *unstructured.Unstructured, in []*unstructured.Unstructured) *unstructured.Unstructured {
		if i := slices.IndexFunc(in, func(other *unstructured.Unstructured) bool { return id(o, "") == id(other, "") }); i >= 0 {
			return in[i]
		}
		return nil
	}
	for _, o := range now {
		was := counterpart(o, before)
		if was == nil || len(differences([]*unstructured.Unstructured{was}, []*unstructured.Unstructured{o})) > 0 {
			remove = append(remove, o)
		}
	}
	for _, o := range before {
		if counterpart(o, now) == nil || counterpart(o, remove) != nil {
			restore = append(restore, anew(o))
		}
	}
	for _, o := range slices.Concat(remove, restore) {
		if !slices.Contains([]string{"ConfigMap", "Ingress", "Secret", "Service"}, o.GetKind()) ||
			o.GetKind() == "ConfigMap" && o.GetNamespace() == lab.ControllerNamespace {
			return nil, nil, false
		}
	}
	return remove, restore, true
}

// anew returns a copy of an object as it can be made again: without what the API server has written into it.
func anew(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	metadata := map[string]any{"name": o.GetName(), "namespace": o.GetNamespace()}
	for _, field := range []string{"annotations", "labels"} {
		if value, found, _ := unstructured.NestedFieldNoCopy(o.Object, "metadata", field); found {
			metadata[field] = value
		}
	}
	o.Object["metadata"] = metadata
	delete(o.Object, "status")
	if address, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP"); address != "None" {
		unstructured.RemoveNestedField(o.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(o.Object, "spec", "clusterIPs")
	}
	return o
}

// settled waits until the pods are ready that a mutant may have done something to.
func (p *labProof) settled(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, p.env.Patience.Ready)
	defer cancel()
	return p.env.Kube.WaitReady(within, workloads(p.before)...) == nil
}
