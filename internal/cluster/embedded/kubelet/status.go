package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

func (w *worker) report() {
	w.status = w.podStatus(time.Now())
	w.reporter.want(w.status, w.terminal && w.end != nil && w.end.deleted && !w.end.removed)
}

// podStatus builds the status from the worker's state. Unchanged conditions keep their times.
func (w *worker) podStatus(now time.Time) corev1.PodStatus {
	began := metav1.NewTime(w.began)
	status := corev1.PodStatus{
		ObservedGeneration: w.pod.Generation, StartTime: &began, QOSClass: w.pod.Status.QOSClass,
		HostIP: w.k.config.Address.String(), HostIPs: []corev1.HostIP{{IP: w.k.config.Address.String()}},
		Reason: w.status.Reason, Message: w.status.Message,
	}
	if w.setup.address.IsValid() && (w.setup.ready || w.status.PodIP != "" || w.terminal) {
		address := w.setup.address.String()
		status.PodIP, status.PodIPs = address, []corev1.PodIP{{IP: address}}
	} else if w.terminal {
		status.PodIP, status.PodIPs = w.status.PodIP, w.status.PodIPs // it ended in an earlier run of the node
	}
	for _, s := range w.slots {
		c := w.containerStatus(s)
		switch s.kind {
		case initContainer, sidecar:
			status.InitContainerStatuses = append(status.InitContainerStatuses, c)
		case app:
			status.ContainerStatuses = append(status.ContainerStatuses, c)
		case ephemeral:
			status.EphemeralContainerStatuses = append(status.EphemeralContainerStatuses, c)
		}
	}
	status.Phase = w.phase(&status)
	if w.end != nil && w.end.reason != "" {
		status.Reason, status.Message = w.end.reason, w.end.message
		if w.terminal {
			status.Phase = corev1.PodFailed
		}
	}
	w.setConditions(&status, metav1.NewTime(now))
	return status
}

func (w *worker) containerStatus(s *slot) corev1.ContainerStatus {
	c := corev1.ContainerStatus{
		Name: s.spec.Name, Image: s.spec.Image, RestartCount: s.restarts, Ready: s.ready, Started: new(s.started),
		State: w.containerState(s), AllocatedResources: s.spec.Resources.Requests, VolumeMounts: volumeMounts(s.spec),
		Resources: &corev1.ResourceRequirements{Limits: s.spec.Resources.Limits, Requests: s.spec.Resources.Requests},
	}
	if s.image != nil {
		c.Image, c.ImageID = s.image.Ref, s.image.ID
	}
	if s.kind == initContainer {
		c.Ready = s.passed // https://kubernetes.io/docs/concepts/workloads/pods/init-containers/
	}
	c.LastTerminationState.Terminated = s.last
	switch {
	case s.running != nil:
		c.ContainerID = runtimeName + "://" + s.running.ID()
	case s.ended != nil:
		c.ContainerID = s.ended.ContainerID
		if c.State.Waiting != nil {
			c.LastTerminationState.Terminated = s.ended
		}
	}
	return c
}

func (w *worker) containerState(s *slot) corev1.ContainerState {
	switch {
	case s.running != nil && !s.busy: // it is busy while its postStart hook runs
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(s.running.Started())}}
	case s.running == nil && s.ended != nil && s.waiting == nil:
		return corev1.ContainerState{Terminated: s.ended}
	case w.terminal && w.end != nil && s.ended == nil:
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Reason: "ContainerStatusUnknown", Message: "The pod ended before the container ran", ExitCode: 137,
		}}
	}
	return corev1.ContainerState{Waiting: w.waitingState(s)}
}

func (w *worker) waitingState(s *slot) *corev1.ContainerStateWaiting {
	if s.waiting != nil {
		return s.waiting
	}
	if len(w.pod.Spec.InitContainers) > 0 && s.kind != ephemeral && (s.kind != app || !w.initialized()) {
		return &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
	}
	return &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
}

func volumeMounts(c *corev1.Container) []corev1.VolumeMountStatus {
	var mounts []corev1.VolumeMountStatus
	for _, m := range c.VolumeMounts {
		status := corev1.VolumeMountStatus{Name: m.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly}
		if m.ReadOnly {
			status.RecursiveReadOnly = new(corev1.RecursiveReadOnlyDisabled)
		}
		mounts = append(mounts, status)
	}
	return mounts
}

// phase implements https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase.
func (w *worker) phase(status *corev1.PodStatus) corev1.PodPhase {
	notStarted := func(s *slot) bool {
		return s.kind == app && (s.running == nil && s.ended == nil || s.running != nil && s.busy)
	}
	switch {
	case w.terminal && !isTerminal(w.status.Phase):
		return terminalPhase(status, w.slots)
	case w.terminal, w.status.Phase == corev1.PodRunning:
		return w.status.Phase // a terminal phase never changes, and Running does not change to Pending
	case !w.initialized(), slices.ContainsFunc(w.slots, notStarted):
		return corev1.PodPending
	}
	return corev1.PodRunning
}

func isTerminal(p corev1.PodPhase) bool { return p == corev1.PodSucceeded || p == corev1.PodFailed }

func terminalPhase(status *corev1.PodStatus, slots []*slot) corev1.PodPhase {
	initFailed := func(s *slot) bool { return s.kind == initContainer && s.ended != nil && s.ended.ExitCode != 0 }
	notSucceeded := func(c corev1.ContainerStatus) bool {
		return c.State.Terminated == nil || c.State.Terminated.ExitCode != 0
	}
	if slices.ContainsFunc(slots, initFailed) || slices.ContainsFunc(status.ContainerStatuses, notSucceeded) {
		return corev1.PodFailed
	}
	return corev1.PodSucceeded
}

// setConditions adds the conditions that the kubelet owns. mergeStatus adds those of other owners
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions).
func (w *worker) setConditions(status *corev1.PodStatus, now metav1.Time) {
	ready := w.containersReady(status.Phase)
	network := corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: truth(w.setup.ready)}
	for _, c := range []corev1.PodCondition{
		network, w.initializedCondition(status.Phase), w.podReady(ready), ready,
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
	} {
		c.ObservedGeneration = w.pod.Generation
		c.LastTransitionTime = now
		before := condition(w.status.Conditions, c.Type)
		if before == nil {
			before = condition(w.pod.Status.Conditions, c.Type)
		}
		if before != nil && before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
		}
		status.Conditions = append(status.Conditions, c)
	}
}

func truth(b bool) corev1.ConditionStatus {
	if b {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

func condition(all []corev1.PodCondition, t corev1.PodConditionType) *corev1.PodCondition {
	i := slices.IndexFunc(all, func(c corev1.PodCondition) bool { return c.Type == t })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (w *worker) containersReady(phase corev1.PodPhase) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionFalse}
	unready := w.names(func(s *slot) bool { return (s.kind == app || s.kind == sidecar) && !s.ready })
	switch {
	case phase == corev1.PodSucceeded:
		c.Reason = "PodCompleted"
	case phase == corev1.PodFailed:
		c.Reason = "PodFailed"
	case len(unready) > 0:
		c.Reason, c.Message = "ContainersNotReady", fmt.Sprintf("containers with unready status: %v", unready)
	default:
		c.Status = corev1.ConditionTrue
	}
	return c
}

// podReady combines the containers' readiness with the readiness gates
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate).
func (w *worker) podReady(containers corev1.PodCondition) corev1.PodCondition {
	c := containers
	c.Type = corev1.PodReady
	if c.Status != corev1.ConditionTrue {
		return c
	}
	var missing []string
	for _, gate := range w.pod.Spec.ReadinessGates {
		switch found := condition(w.pod.Status.Conditions, gate.ConditionType); {
		case found == nil:
			missing = append(missing, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", gate.ConditionType))
		case found.Status != corev1.ConditionTrue:
			missing = append(missing, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", gate.ConditionType, found.Status))
		}
	}
	if len(missing) > 0 {
		c.Status, c.Reason, c.Message = corev1.ConditionFalse, "ReadinessGatesNotReady", strings.Join(missing, ", ")
	}
	return c
}

func (w *worker) initializedCondition(phase corev1.PodPhase) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}
	before, incomplete := condition(w.status.Conditions, c.Type), w.names((*slot).incomplete)
	switch {
	case phase == corev1.PodSucceeded:
		c.Reason = "PodCompleted"
	case before != nil && before.Status == c.Status: // it never becomes false again
	case len(incomplete) > 0:
		c.Status, c.Reason = corev1.ConditionFalse, "ContainersNotInitialized"
		c.Message = fmt.Sprintf("containers with incomplete status: %v", incomplete)
	}
	return c
}

func (w *worker) names(match func(*slot) bool) []string {
	var names []string
	for _, s := range w.slots {
		if match(s) {
			names = append(names, s.spec.Name)
		}
	}
	return names
}

// reporter writes the latest status of a pod to the API if it differs. It has its own goroutine, so
// that slow writes do not delay the worker.
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
	notify(r.signal) // another client might have changed the kubelet's fields
}

// want sets the desired status. If remove is true, the reporter then deletes the pod from the API.
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
		if r.latest == latest { // unless the informer delivered a newer version
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

// mergeStatus returns our status, plus the fields and conditions that other clients own.
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

// statusPatch returns the patch that changes the pod's status, or nil if the status is equal. The
// patch has the UID, so that the API server rejects it for a different pod of the same name.
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
