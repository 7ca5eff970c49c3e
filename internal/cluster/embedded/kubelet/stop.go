package kubelet

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

const (
	// shortestGrace is what even a pod that is deleted by force gets.
	shortestGrace = time.Second
	// extension is what a container has left when its preStop hook has used up the grace period
	// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow).
	extension = 2 * time.Second
)

// ending is how a pod is being ended.
type ending struct {
	deadline time.Time
	deleted  bool // it is to go from the API
	removed  bool // it is gone from the API
	// reason and message are for the status.
	reason, message string
}

// stopping is how a container is being stopped.
type stopping struct {
	deadline       time.Time
	hook           context.CancelFunc // ends the preStop hook; nil if none runs
	termed, killed bool
}

// noticeDeletion looks whether the API wants the pod to end.
func (w *worker) noticeDeletion(removed bool) {
	grace := shortestGrace
	switch {
	case removed:
	case w.pod.DeletionTimestamp != nil:
		if s := w.pod.DeletionGracePeriodSeconds; s != nil {
			grace = max(grace, time.Duration(*s)*time.Second)
		}
	default:
		return
	}
	deadline := time.Now().Add(grace)
	if w.end == nil {
		w.end = &ending{deadline: deadline}
	}
	if deadline.Before(w.end.deadline) { // deleted again, with less patience
		w.end.deadline = deadline
	}
	for _, s := range w.slots { // some may be about to end for another reason, and slower
		if s.stop != nil && deadline.Before(s.stop.deadline) {
			s.stop.deadline = deadline
		}
	}
	w.end.removed = w.end.removed || removed
	w.end.deleted = true
}

// enforceDeadline ends a pod that has been active for too long
// (https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup).
func (w *worker) enforceDeadline(now time.Time) {
	limit := w.pod.Spec.ActiveDeadlineSeconds
	if limit == nil || w.end != nil || w.terminal {
		return
	}
	at := w.began.Add(time.Duration(*limit) * time.Second)
	if now.Before(at) {
		w.at(at)
		return
	}
	const message = "Pod was active on the node longer than the specified deadline"
	w.event(nil, corev1.EventTypeNormal, reasonDeadlineExceeded, message)
	w.end = &ending{deadline: now.Add(w.grace()), reason: reasonDeadlineExceeded, message: message}
}

// grace is the pod's own grace period.
func (w *worker) grace() time.Duration {
	if s := w.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return max(shortestGrace, time.Duration(*s)*time.Second)
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// endContainers stops every container, sidecars after the others and in reverse order
// (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#termination).
func (w *worker) endContainers() {
	grace := max(time.Until(w.end.deadline), shortestGrace)
	for _, s := range w.slots {
		if s.kind != sidecar {
			w.stopSlot(s, grace, fmt.Sprintf("Stopping container %s", s.spec.Name))
		}
	}
	w.stopSidecars(grace)
}

func (w *worker) stopSidecars(grace time.Duration) {
	for _, s := range slices.Backward(w.slots) {
		if s.kind == sidecar {
			s.done = true // it will not be started again
			w.stopSlot(s, grace, fmt.Sprintf("Stopping container %s", s.spec.Name))
		}
		if !s.idle() {
			return // those before it wait for it
		}
	}
}

// stopSlot begins to stop a container that runs.
func (w *worker) stopSlot(s *slot, grace time.Duration, message string) {
	if s.running == nil || s.stop != nil {
		return
	}
	w.event(s, corev1.EventTypeNormal, reasonKilling, "%s", message)
	now := time.Now()
	s.stop = &stopping{deadline: now.Add(grace)}
	if l := s.spec.Lifecycle; l != nil && l.PreStop != nil {
		w.startPreStop(s, s.running, l.PreStop)
	}
	w.driveStop(s, now)
}

func (w *worker) startPreStop(s *slot, c container.Container, hook *corev1.LifecycleHandler) {
	ctx, cancel := context.WithCancel(w.ctx)
	stop, contact := s.stop, w.contact(s, c)
	stop.hook = cancel
	w.k.ended.Go(func() {
		defer cancel()
		err := contact.hook(ctx, hook)
		w.post(func() {
			if err != nil && s.running == c {
				w.event(s, corev1.EventTypeWarning, reasonPreStopFailed, "PreStopHook failed")
			}
			if stop.hook != nil {
				stop.hook = nil
				stop.deadline = later(stop.deadline, time.Now().Add(extension))
			}
		})
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// driveStop sends the signals that are due: the stop signal when the hook is done, SIGKILL after the deadline.
func (w *worker) driveStop(s *slot, now time.Time) {
	stop := s.stop
	if s.running == nil || stop == nil || stop.killed {
		return
	}
	if !now.Before(stop.deadline) {
		switch {
		case stop.hook != nil:
			stop.hook()
			stop.hook = nil
			stop.deadline = now.Add(extension)
		default:
			w.signal(s, syscall.SIGKILL)
			stop.killed = true
			return
		}
	}
	if stop.hook == nil && !stop.termed {
		stop.termed = true
		w.signal(s, s.running.StopSignal())
	}
	w.at(stop.deadline)
}

func (w *worker) signal(s *slot, sig syscall.Signal) {
	if err := s.running.Signal(sig); err != nil {
		w.event(s, corev1.EventTypeWarning, "FailedKillPod", "error killing container %s: %v", s.spec.Name, err)
	}
}
