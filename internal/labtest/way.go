package labtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// upTo brings the lab to where the task of an index is the next one to do: by taking back what was done since it was there, if that is
// known, and from start/ otherwise.
func (p *labProof) upTo(ctx context.Context, index int) (finding, bool) {
	for _, before := range p.lab.Tasks[:index] {
		if p.unsolved[before.ID] {
			return finding{skipped: fmt.Sprintf("task %s, which comes before, is not solved by its solution", before.ID)}, false
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

// note keeps in mind what there is now that so many tasks are solved.
func (p *labProof) note(ctx context.Context, solved int) (err error) {
	p.solved = solved
	p.before, err = p.session.Holdings(ctx)
	return err
}

// undone takes back what has been done since the last note, and tells whether everything is as it was then. The controller's settings
// are left to a start from the beginning.
func (p *labProof) undone(ctx context.Context) bool {
	now, err := p.session.Holdings(ctx)
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

// wayBack returns which of the objects that there are now have to be removed, and which have to be applied then, for all to be as
// before. It is not possible if the controller's ConfigMap is one of them, or a Deployment that has been rolled out more than once:
// its history goes with it.
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
			restore = append(restore, anew(o))
		}
	}
	return remove, restore, !slices.ContainsFunc(remove, isSettings)
}

// isSettings tells whether an object is the controller's ConfigMap.
func isSettings(o *unstructured.Unstructured) bool {
	return o.GetKind() == "ConfigMap" && o.GetNamespace() == lab.ControllerNamespace
}

// revision is how often a Deployment has been rolled out
// (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#checking-rollout-history-of-a-deployment).
func revision(o *unstructured.Unstructured) int {
	n, err := strconv.Atoi(o.GetAnnotations()[revisionAnnotation])
	if err != nil {
		return 0
	}
	return n
}

const revisionAnnotation = "deployment.kubernetes.io/revision"

// ofSize returns a copy of an object with as many replicas as another one.
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

// settled waits until the pods are ready that a mutant may have done something to.
func (p *labProof) settled(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, p.env.Patience.Ready)
	defer cancel()
	return p.env.Kube.WaitReady(within, workloads(p.before)...) == nil
}
