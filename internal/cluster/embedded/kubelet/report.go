package kubelet

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// reporter writes the status of one pod to the API: the newest one, and only when it is another than the API has. A pod
// whose containers are slow to report is never slow to run.
type reporter struct {
	k         *Kubelet
	namespace string
	name      string
	uid       types.UID

	mu     sync.Mutex
	latest *corev1.Pod // as the API had it last
	wanted *corev1.PodStatus
	remove bool
	gone   bool // it was removed; only run's goroutine looks
	signal chan struct{}
}

func newReporter(k *Kubelet, pod *corev1.Pod) *reporter {
	return &reporter{
		k: k, namespace: pod.Namespace, name: pod.Name, uid: pod.UID, latest: pod, signal: make(chan struct{}, 1),
	}
}

// seen tells what the API has.
func (r *reporter) seen(pod *corev1.Pod) {
	r.mu.Lock()
	r.latest = pod
	r.mu.Unlock()
	r.notify() // somebody else may have changed what is ours
}

// want sets what the API should have. With remove, the pod is deleted for good when it has.
func (r *reporter) want(status corev1.PodStatus, remove bool) {
	r.mu.Lock()
	r.wanted, r.remove = &status, remove
	r.mu.Unlock()
	r.notify()
}

func (r *reporter) notify() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// run writes until ctx ends or the pod is gone.
func (r *reporter) run(ctx context.Context) {
	wait := retry{first: 50 * time.Millisecond, last: 5 * time.Second}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.signal:
		}
		err := r.write(ctx)
		switch {
		case err == nil:
			wait.now = 0
			continue
		case apierrors.IsNotFound(err), apierrors.IsConflict(err):
			continue // another pod has the name, or none: the informer will tell, and there is nothing to say
		case ctx.Err() == nil:
			r.k.config.Log("node %s: pod %s/%s: report its status: %v", r.k.config.Name, r.namespace, r.name, err)
		}
		if !pause(ctx, wait.delay()) {
			return
		}
		r.notify()
	}
}

func (r *reporter) write(ctx context.Context) error {
	r.mu.Lock()
	latest, wanted, remove := r.latest, r.wanted, r.remove
	r.mu.Unlock()
	if wanted == nil || r.gone {
		return nil
	}
	pods := r.k.config.Client.CoreV1().Pods(r.namespace)
	patch, err := statusPatch(latest, mergeStatus(latest.Status, *wanted))
	if err != nil {
		return err
	}
	if patch != nil {
		written, err := pods.Patch(ctx, r.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if err != nil {
			return err
		}
		r.mu.Lock()
		if r.latest == latest { // else the informer has brought something since
			r.latest = written
		}
		r.mu.Unlock()
	}
	if !remove {
		return nil
	}
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(r.uid))}
	if err := pods.Delete(ctx, r.name, options); err != nil {
		return err
	}
	r.gone = true
	return nil
}

// mergeStatus is the status before with what is the node's replaced.
func mergeStatus(before, ours corev1.PodStatus) corev1.PodStatus {
	merged := *ours.DeepCopy()
	merged.NominatedNodeName = before.NominatedNodeName
	merged.ResourceClaimStatuses = before.ResourceClaimStatuses
	merged.ExtendedResourceClaimStatus = before.ExtendedResourceClaimStatus
	merged.Resize, merged.AllocatedResources, merged.Resources = before.Resize, before.AllocatedResources, before.Resources
	if merged.Reason == "" {
		merged.Reason, merged.Message = before.Reason, before.Message
	}
	for _, c := range before.Conditions {
		if condition(merged.Conditions, c.Type) == nil {
			merged.Conditions = append(merged.Conditions, c)
		}
	}
	return merged
}

// statusPatch is what makes the status of before the other one, nil if it is that already. It carries the UID, so that the API
// refuses it for another pod of the same name.
func statusPatch(before *corev1.Pod, status corev1.PodStatus) ([]byte, error) {
	old, err := json.Marshal(corev1.Pod{Status: before.Status})
	if err != nil {
		return nil, err
	}
	changed, err := json.Marshal(corev1.Pod{Status: status})
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateTwoWayMergeMapPatch(asMap(old), asMap(changed), corev1.Pod{})
	if err != nil || len(patch) == 0 {
		return nil, err
	}
	patch["metadata"] = map[string]any{"uid": before.UID}
	return json.Marshal(patch)
}

// asMap takes JSON apart again, which always works for what Marshal has made of a struct.
func asMap(object []byte) strategicpatch.JSONMap {
	var m strategicpatch.JSONMap
	_ = json.Unmarshal(object, &m)
	return m
}
