package kubelet

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// remember takes over what the status of a pod says from an earlier life of this node. Its containers ended with that one:
// they are started again, as after a reboot, if the restart policy lets them.
func (w *worker) remember() {
	status := &w.pod.Status
	for _, s := range w.slots {
		if c := containerStatusOf(status, s.spec.Name); c != nil {
			w.recall(s, c, isTerminal(status.Phase))
		}
	}
	if isTerminal(status.Phase) {
		w.terminal = true
		for _, s := range w.slots {
			s.done = true
		}
	}
	w.noticeDeletion(false)
}

func containerStatusOf(status *corev1.PodStatus, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{
		status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses,
	} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

func (w *worker) recall(s *slot, c *corev1.ContainerStatus, over bool) {
	s.restarts = c.RestartCount
	s.last = c.LastTerminationState.Terminated
	switch {
	case c.State.Terminated != nil:
		s.ended = c.State.Terminated
		s.passed = s.kind == initial && s.ended.ExitCode == 0 && over
		if over {
			return
		}
	case c.State.Running != nil:
		s.ended = &corev1.ContainerStateTerminated{
			ExitCode: 255, Reason: "Unknown", StartedAt: c.State.Running.StartedAt, FinishedAt: metav1.NewTime(time.Now()),
			ContainerID: c.ContainerID,
		}
	default:
		s.ended, s.last = s.last, nil
	}
	if over || s.ended == nil {
		return
	}
	// Init containers run once more in any case: what they prepared may be gone.
	if s.kind != initial && s.kind != sidecar && !s.again(w.pod, s.ended.ExitCode) {
		s.done = true
	}
}
