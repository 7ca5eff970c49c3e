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
	// shortestGrace is the minimum grace period, also after a forced deletion.
	shortestGrace = time.Second
	// extension is what a container gets after its preStop hook used up the grace period
	// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow).
	extension = 2 * time.Second
)

// termination is the termination of a pod.
type termination struct {
	deadline        time.Time
	deleted         bool   // the API server waits for the kubelet to confirm the deletion
	removed         bool   // the pod no longer exists in the API
	reason, message string // for the pod's status
}

// stopState is the termination of a container.
type stopState struct {
	deadline           time.Time
	hook               context.CancelFunc // cancels the preStop hook; nil if none runs
	termSent, killSent bool
}

// handleDeletion starts or shortens the termination of a deleted pod.
func (w *worker) handleDeletion(removed bool) {
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
		w.end = &termination{deadline: deadline}
	}
	if deadline.Before(w.end.deadline) { // deleted again with a shorter grace period
		w.end.deadline = deadline
	}
	for _, s := range w.slots { // a container might be stopping for another reason
		if s.stop != nil && deadline.Before(s.stop.deadline) {
			s.stop.deadline = deadline
		}
	}
	w.end.removed = w.end.removed || removed
	w.end.deleted = true
}

// enforceDeadline terminates a pod that exceeds activeDeadlineSeconds
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
	w.end = &termination{deadline: now.Add(w.grace()), reason: reasonDeadlineExceeded, message: message}
}

// grace returns the pod's termination grace period.
func (w *worker) grace() time.Duration {
	if s := w.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return max(shortestGrace, time.Duration(*s)*time.Second)
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// endContainers stops every container; sidecars come last, in reverse order
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
			s.done = true // no restart
			w.stopSlot(s, grace, fmt.Sprintf("Stopping container %s", s.spec.Name))
		}
		if !s.idle() {
			return // earlier sidecars wait for this one
		}
	}
}

// stopSlot starts to stop a running container.
func (w *worker) stopSlot(s *slot, grace time.Duration, message string) {
	if s.running == nil || s.stop != nil {
		return
	}
	w.event(s, corev1.EventTypeNormal, reasonKilling, "%s", message)
	now := time.Now()
	s.stop = &stopState{deadline: now.Add(grace)}
	if l := s.spec.Lifecycle; l != nil && l.PreStop != nil {
		w.startPreStop(s, s.running, l.PreStop)
	}
	w.advanceStop(s, now)
}

func (w *worker) startPreStop(s *slot, c container.Container, hook *corev1.LifecycleHandler) {
	ctx, cancel := context.WithCancel(w.ctx)
	stop, target := s.stop, w.target(s, c)
	stop.hook = cancel
	w.k.goroutines.Go(func() {
		defer cancel()
		err := target.hook(ctx, hook)
		w.post(func() {
			if err != nil && s.running == c {
				w.event(s, corev1.EventTypeWarning, reasonPreStopFailed, "PreStopHook failed")
			}
			if stop.hook != nil {
				stop.hook = nil
				stop.deadline = slices.MaxFunc([]time.Time{stop.deadline, time.Now().Add(extension)}, time.Time.Compare)
			}
		})
	})
}

// advanceStop sends the signal that is due: the stop signal after the hook, or SIGKILL.
func (w *worker) advanceStop(s *slot, now time.Time) {
	stop := s.stop
	if s.running == nil || stop == nil || stop.killSent {
		return
	}
	if !now.Before(stop.deadline) {
		if stop.hook == nil {
			w.signal(s, syscall.SIGKILL)
			stop.killSent = true
			return
		}
		stop.hook()
		stop.hook = nil
		stop.deadline = now.Add(extension)
	}
	if stop.hook == nil && !stop.termSent {
		stop.termSent = true
		w.signal(s, s.running.StopSignal())
	}
	w.at(stop.deadline)
}

func (w *worker) signal(s *slot, sig syscall.Signal) {
	if err := s.running.Signal(sig); err != nil {
		w.event(s, corev1.EventTypeWarning, "FailedKillPod", "error killing container %s: %v", s.spec.Name, err)
	}
}
