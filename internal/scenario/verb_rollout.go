package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// Rollout controls a rollout, as kubectl rollout does. Exactly one of restart, undo, and status is
// given.
type Rollout struct {
	// The workload whose pods are replaced one by one: deployment/NAME, daemonset/NAME, or
	// statefulset/NAME.
	Restart string `yaml:"restart,omitempty"`
	// The Deployment to roll back to its previous revision.
	Undo string `yaml:"undo,omitempty"`
	// The workload whose rollout has to finish.
	Status string `yaml:"status,omitempty"`
	// The namespace of the workload; the run's own if not given.
	Namespace string `yaml:"namespace,omitempty"`
	// How long the rollout can take, 60s if not given. Restart and undo wait for it, too.
	Within Duration `yaml:"within,omitempty"`
}

func (ro Rollout) validate(c *checker, path string) {
	which := c.exactlyOne(path, choice{"restart", ro.Restart != ""}, choice{"undo", ro.Undo != ""}, choice{"status", ro.Status != ""})
	if which == "" {
		return
	}
	kinds := []string{"deployment", "daemonset", "statefulset"}
	if which == "undo" {
		kinds = kinds[:1]
	}
	c.workload(path+"."+which, ro.target(), kinds...)
	c.inNamespace(path+".namespace", ro.Namespace)
}

func (ro Rollout) traits() traits {
	t := traits{inSolution: true}
	if ro.Status == "" {
		t.shared = sharedNamespace("namespace", ro.Namespace)
	}
	return t
}

func (ro Rollout) describe(isolation) string {
	what := "wait for the rollout of "
	switch {
	case ro.Restart != "":
		what = "restart "
	case ro.Undo != "":
		what = "undo the last rollout of "
	}
	return what + ro.target() + inNamespace(ro.Namespace)
}

func (ro Rollout) target() string { return ro.Restart + ro.Undo + ro.Status }

const (
	// restartedAt is the template annotation that kubectl rollout restart sets.
	restartedAt = "kubectl.kubernetes.io/restartedAt"
	// revision is the annotation with the revision number of a ReplicaSet.
	revision = "deployment.kubernetes.io/revision"
)

// run restarts or undoes a rollout, and waits until it is complete.
func (ro Rollout) run(ctx context.Context, r *runner, report *StepReport) error {
	o, err := r.object(ro.target(), ro.Namespace)
	if err != nil {
		return report.broken(err)
	}
	r.disturbed = r.disturbed || ro.Status == ""
	switch {
	case ro.Restart != "":
		stamp := time.Now().UTC().Format(time.RFC3339Nano) // kubectl's value in seconds would ignore a second restart within a second
		patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`, restartedAt, stamp)
		err = r.env.Kube.Patch(ctx, o, types.MergePatchType, patch)
	case ro.Undo != "":
		err = r.undo(ctx, o)
	}
	var none *noRevisionError
	switch {
	case errors.As(err, &none):
		report.Outcome = Failed
		return err
	case err != nil:
		return report.refused(err)
	}
	c := converge(ctx, r.polling(ro.Within, waitWithin, 1, report), func(ctx context.Context) pollResult { return r.seeRollout(ctx, o) })
	return report.settle(c, TimedOut)
}

// noRevisionError reports a Deployment without an earlier revision.
type noRevisionError struct{ name string }

func (e *noRevisionError) Error() string {
	return fmt.Sprintf("deployment %s has no earlier revision", e.name)
}

func (r *runner) undo(ctx context.Context, o *unstructured.Unstructured) error {
	clientset := r.env.Kube.Clientset()
	d, err := clientset.AppsV1().Deployments(o.GetNamespace()).Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	selector := metav1.FormatLabelSelector(d.Spec.Selector)
	sets, err := clientset.AppsV1().ReplicaSets(o.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return err
	}
	template := previousTemplate(d, sets.Items)
	if template == nil {
		return &noRevisionError{d.Name}
	}
	delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec/template", "value": template}})
	if err != nil {
		return err
	}
	return r.env.Kube.Patch(ctx, o, types.JSONPatchType, patch)
}

// previousTemplate returns a copy of the previous revision's template. It is nil if there is none.
func previousTemplate(d *appsv1.Deployment, sets []appsv1.ReplicaSet) *corev1.PodTemplateSpec {
	number := func(set *appsv1.ReplicaSet) int64 {
		n, err := strconv.ParseInt(set.Annotations[revision], 10, 64)
		if err != nil {
			return 0 // a new ReplicaSet has no number yet
		}
		return n
	}
	var newest, previous *appsv1.ReplicaSet
	for i := range sets {
		set := &sets[i]
		switch {
		case !metav1.IsControlledBy(set, d):
		case newest == nil || number(set) > number(newest):
			newest, previous = set, newest
		case previous == nil || number(set) > number(previous):
			previous = set
		}
	}
	if previous == nil {
		return nil
	}
	return previous.Spec.Template.DeepCopy()
}

// seeRollout checks whether a rollout is complete, by the rules of kubectl rollout status.
func (r *runner) seeRollout(ctx context.Context, o *unstructured.Unstructured) pollResult {
	got, err := r.env.Kube.Get(ctx, o)
	if apierrors.IsNotFound(err) {
		return differs("object", describeObject(o), "not found")
	}
	if err != nil {
		return pollResult{err: err}
	}
	lacks, err := rolloutLacks(got)
	if err != nil || lacks == "" {
		return pollResult{err: err}
	}
	return differs("rollout of "+describeObject(o), "finished", lacks)
}

// rolloutState is the state of a rollout, for any kind of workload.
type rolloutState struct {
	observed                 bool
	wanted, updated, running int32
	// old is the number of pods of earlier revisions. Only Deployments report it.
	old int32
	// goal is a phrase that describes the running pods.
	goal string
}

// rolloutLacks returns what a rollout waits for. It is empty if the rollout is complete.
func rolloutLacks(o *unstructured.Unstructured) (string, error) {
	state, err := rolloutOf(o)
	switch {
	case err != nil:
		return "", err
	case !state.observed:
		return "not begun", nil
	case state.updated < state.wanted:
		return fmt.Sprintf("%d of %d pods are new", state.updated, state.wanted), nil
	case state.old > 0:
		return fmt.Sprintf("%d old pods still exist", state.old), nil
	case state.running < max(state.wanted, state.updated):
		return fmt.Sprintf("%d of %d %s", state.running, max(state.wanted, state.updated), state.goal), nil
	}
	return "", nil
}

func rolloutOf(o *unstructured.Unstructured) (rolloutState, error) {
	convert := runtime.DefaultUnstructuredConverter.FromUnstructured
	switch o.GetKind() {
	case "Deployment":
		var d appsv1.Deployment
		err := convert(o.Object, &d)
		st := d.Status
		return rolloutState{
			observed: st.ObservedGeneration >= d.Generation, wanted: ptr.Deref(d.Spec.Replicas, 1), updated: st.UpdatedReplicas,
			running: st.AvailableReplicas, old: st.Replicas - st.UpdatedReplicas, goal: "new pods are available",
		}, err
	case "DaemonSet":
		var d appsv1.DaemonSet
		err := convert(o.Object, &d)
		st := d.Status
		return rolloutState{
			observed: st.ObservedGeneration >= d.Generation, wanted: st.DesiredNumberScheduled, updated: st.UpdatedNumberScheduled,
			running: st.NumberAvailable, goal: "pods are available",
		}, err
	}
	var s appsv1.StatefulSet
	err := convert(o.Object, &s)
	return rolloutState{
		observed: s.Status.ObservedGeneration >= s.Generation, wanted: ptr.Deref(s.Spec.Replicas, 1), updated: s.Status.UpdatedReplicas,
		running: s.Status.ReadyReplicas, goal: "pods are ready",
	}, err
}
