package kubelet

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// report hands the state of the pod to the reporter.
func (w *worker) report() {
	w.status = w.podStatus(time.Now())
	w.reporter.want(w.status, w.terminal && w.end != nil && w.end.deleted && !w.end.removed)
}

// podStatus is what the API is told. It is made of the worker's state alone, and of the conditions that were there before.
func (w *worker) podStatus(now time.Time) corev1.PodStatus {
	began := metav1.NewTime(w.began)
	status := corev1.PodStatus{
		ObservedGeneration: w.pod.Generation,
		StartTime:          &began,
		HostIP:             w.k.config.Address.String(),
		HostIPs:            []corev1.HostIP{{IP: w.k.config.Address.String()}},
		QOSClass:           w.pod.Status.QOSClass,
		Reason:             w.status.Reason, Message: w.status.Message,
	}
	if w.setup.address.IsValid() && (w.setup.ready || w.status.PodIP != "" || w.terminal) {
		address := w.setup.address.String()
		status.PodIP, status.PodIPs = address, []corev1.PodIP{{IP: address}}
	} else if w.terminal {
		status.PodIP, status.PodIPs = w.status.PodIP, w.status.PodIPs // it ended before this start of the node
	}
	for _, s := range w.slots {
		c := w.containerStatus(s)
		switch s.kind {
		case initial, sidecar:
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

// containerStatus is that of one container.
func (w *worker) containerStatus(s *slot) corev1.ContainerStatus {
	started := s.started
	c := corev1.ContainerStatus{
		Name: s.spec.Name, Image: s.spec.Image, RestartCount: s.restarts, Ready: s.ready, Started: &started,
		State: w.containerState(s), Resources: resources(s.spec), AllocatedResources: s.spec.Resources.Requests,
		VolumeMounts: volumeMounts(s.spec),
	}
	if s.image != nil {
		c.Image, c.ImageID = s.image.Ref, s.image.ID
	}
	if s.kind == initial {
		c.Ready = s.passed // https://kubernetes.io/docs/concepts/workloads/pods/init-containers/
	}
	last := s.last
	switch {
	case s.running != nil:
		c.ContainerID = runtimeName + "://" + s.running.ID()
	case s.ended != nil:
		c.ContainerID = s.ended.ContainerID
		if c.State.Waiting != nil {
			last = s.ended
		}
	}
	if last != nil {
		c.LastTerminationState.Terminated = last
	}
	return c
}

func (w *worker) containerState(s *slot) corev1.ContainerState {
	switch {
	case s.running != nil && !s.busy: // busy: its postStart hook runs
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(s.running.Started())}}
	case s.running == nil && s.ended != nil && s.waiting == nil:
		return corev1.ContainerState{Terminated: s.ended}
	case w.terminal && w.end != nil && s.ended == nil:
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Reason: "ContainerStatusUnknown", Message: "The container never ran: the pod ended before", ExitCode: 137,
		}}
	}
	return corev1.ContainerState{Waiting: w.waitingState(s)}
}

// waitingState is why a container that does not run does not.
func (w *worker) waitingState(s *slot) *corev1.ContainerStateWaiting {
	if s.waiting != nil {
		return s.waiting
	}
	if len(w.pod.Spec.InitContainers) > 0 && s.kind != ephemeral && (s.kind != app || !w.initialized()) {
		return &corev1.ContainerStateWaiting{Reason: waitInitializing}
	}
	return &corev1.ContainerStateWaiting{Reason: waitCreating}
}

func resources(c *corev1.Container) *corev1.ResourceRequirements {
	if len(c.Resources.Limits) == 0 && len(c.Resources.Requests) == 0 {
		return &corev1.ResourceRequirements{}
	}
	return &corev1.ResourceRequirements{Limits: c.Resources.Limits, Requests: c.Resources.Requests}
}

func volumeMounts(c *corev1.Container) []corev1.VolumeMountStatus {
	var mounts []corev1.VolumeMountStatus
	for _, m := range c.VolumeMounts {
		status := corev1.VolumeMountStatus{Name: m.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly}
		if m.ReadOnly {
			disabled := corev1.RecursiveReadOnlyDisabled
			status.RecursiveReadOnly = &disabled
		}
		mounts = append(mounts, status)
	}
	return mounts
}

// phase is the summary of a pod (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase).
func (w *worker) phase(status *corev1.PodStatus) corev1.PodPhase {
	if w.terminal {
		if isTerminal(w.status.Phase) {
			return w.status.Phase // it never changes again
		}
		return terminalPhase(status, w.slots)
	}
	if w.status.Phase == corev1.PodRunning {
		return corev1.PodRunning // it does not go back to Pending
	}
	for _, s := range w.slots {
		// Every container must have been started once.
		if s.kind == app && (s.running == nil && s.ended == nil || s.running != nil && s.busy) {
			return corev1.PodPending
		}
	}
	if !w.initialized() {
		return corev1.PodPending
	}
	return corev1.PodRunning
}

func isTerminal(p corev1.PodPhase) bool { return p == corev1.PodSucceeded || p == corev1.PodFailed }

// terminalPhase is that of a pod of which nothing runs any more.
func terminalPhase(status *corev1.PodStatus, slots []*slot) corev1.PodPhase {
	for _, s := range slots {
		if s.kind == initial && s.ended != nil && s.ended.ExitCode != 0 {
			return corev1.PodFailed
		}
	}
	for _, c := range status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && t.ExitCode == 0 {
			continue
		}
		return corev1.PodFailed
	}
	return corev1.PodSucceeded
}
