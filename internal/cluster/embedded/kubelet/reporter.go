package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// reporter writes the latest status of a pod to the API if it differs. It runs apart from the
// worker, so slow writes do not delay the pod.
type reporter struct {
	k               *Kubelet
	namespace, name string
	uid             types.UID

	mu     sync.Mutex
	latest *corev1.Pod // the API's latest version
	wanted *corev1.PodStatus
	remove bool
	gone   bool // deleted from the API; only run's goroutine reads it
	signal chan struct{}
}

func newReporter(k *Kubelet, pod *corev1.Pod) *reporter {
	return &reporter{k: k, namespace: pod.Namespace, name: pod.Name, uid: pod.UID, latest: pod, signal: make(chan struct{}, 1)}
}

func (r *reporter) seen(pod *corev1.Pod) {
	r.mu.Lock()
	r.latest = pod
	r.mu.Unlock()
	notify(r.signal) // another client might have changed our fields
}

// want sets the desired status. With remove, the reporter then deletes the pod from the API.
func (r *reporter) want(status corev1.PodStatus, remove bool) {
	r.mu.Lock()
	r.wanted, r.remove = &status, remove
	r.mu.Unlock()
	notify(r.signal)
}

func (r *reporter) run(ctx context.Context) {
	delays := retryDelays(50*time.Millisecond, 5*time.Second)
	wait := delays
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.signal:
		}
		err := r.write(ctx)
		switch {
		case err == nil:
			wait = delays
			continue
		case apierrors.IsNotFound(err), apierrors.IsConflict(err):
			continue // the pod is gone or replaced; the informer reports that
		case ctx.Err() == nil:
			r.k.config.Log("node %s: pod %s/%s: report status: %v", r.k.config.Name, r.namespace, r.name, err)
		}
		if !pause(ctx, wait.Step()) {
			return
		}
		notify(r.signal)
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
		if r.latest == latest { // unless the informer delivered another version
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

// mergeStatus returns our status with the fields and conditions of other owners.
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

// statusPatch returns the patch from the pod's status to the new one, or nil if they are equal.
// The patch has the UID, so that the API server rejects it for another pod of the same name.
func statusPatch(before *corev1.Pod, status corev1.PodStatus) ([]byte, error) {
	old, err := json.Marshal(corev1.Pod{Status: before.Status})
	if err != nil {
		return nil, err
	}
	changed, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: before.UID}, Status: status})
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(old, changed, corev1.Pod{})
	if err != nil || string(patch) == fmt.Sprintf(`{"metadata":{"uid":%q}}`, before.UID) {
		return nil, err
	}
	return patch, nil
}
