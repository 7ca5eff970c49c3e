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

// upTo makes the task of an index the next one to do. It reverts the last changes if they are known, and starts the lab again otherwise.
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

// note records the objects, with so many tasks solved.
func (p *labTest) note(ctx context.Context, solved int) (err error) {
	p.solved = solved
	p.before, err = p.session.Objects(ctx)
	return err
}

// undone reverts all changes since the last note, and reports whether it succeeded. It cannot revert the controller's settings.
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

// wayBack returns the objects to remove, and then to apply, to restore the state before. It is not possible if the controller's ConfigMap
// is one of them, or a Deployment with more than one revision, whose history would be lost.
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

// isSettings reports whether an object is the controller's ConfigMap.
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

// ofSize returns a copy of an object with the replicas of another one.
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

// settled waits until all pods are ready again.
func (p *labTest) settled(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, p.env.Timeouts.Ready)
	defer cancel()
	return p.env.Kube.WaitReady(within, workloads(p.before)...) == nil
}
