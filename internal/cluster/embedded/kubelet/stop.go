package kubelet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

const (
	// shortestGrace is the minimum grace period, also after a forced deletion.
	shortestGrace = time.Second
	// extension is the time that a container gets if its preStop hook used up the grace period
	// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow).
	extension = 2 * time.Second
)

type termination struct {
	deadline        time.Time
	deleted         bool   // the API server waits for the kubelet to confirm the deletion
	removed         bool   // the pod no longer exists in the API
	reason, message string // for the pod's status
}

type stopState struct {
	deadline           time.Time
	hook               context.CancelFunc // cancels the preStop hook; nil if none runs
	termSent, killSent bool
}

// handleDeletion starts or shortens the termination of a deleted pod.
func (w *worker) handleDeletion(removed bool) {
	if !removed && w.pod.DeletionTimestamp == nil {
		return
	}
	grace := shortestGrace
	if !removed {
		grace = max(grace, time.Duration(ptr.Deref(w.pod.DeletionGracePeriodSeconds, 0))*time.Second)
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

// enforceDeadline terminates a pod that runs longer than its activeDeadlineSeconds
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
	w.event(nil, corev1.EventTypeNormal, "DeadlineExceeded", message)
	w.end = &termination{deadline: now.Add(w.grace()), reason: "DeadlineExceeded", message: message}
}

func (w *worker) grace() time.Duration {
	seconds := ptr.Deref(w.pod.Spec.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	return max(shortestGrace, time.Duration(seconds)*time.Second)
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

func (w *worker) stopSlot(s *slot, grace time.Duration, message string) {
	if s.running == nil || s.stop != nil {
		return
	}
	w.event(s, corev1.EventTypeNormal, "Killing", "%s", message)
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
				w.event(s, corev1.EventTypeWarning, "FailedPreStopHook", "PreStopHook failed")
			}
			if stop.hook != nil {
				stop.hook = nil
				if extended := time.Now().Add(extension); extended.After(stop.deadline) {
					stop.deadline = extended
				}
			}
		})
	})
}

// advanceStop sends the next signal when it is due: the stop signal after the hook, then SIGKILL.
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

// These are the limits of the termination message
// (https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/#customizing-the-termination-message).
const (
	messageBytes  = 4096
	logTailBytes  = 2048
	logTailLines  = 80
	logFieldCount = 4        // time, stream, tag, text
	logWindow     = 64 << 10 // read this much from the end of a log to get its tail
)

func (a *attempt) watch(w *worker, s *slot, c container.Container) {
	select {
	case <-c.Done():
	case <-w.ctx.Done():
		return
	}
	ended := terminated(c, a.terminationMessage(c.Exit().Code))
	w.post(func() { w.exited(s, c, ended) })
	_ = os.RemoveAll(a.root()) // the pod's cleanup removes what remains
}

func terminated(c container.Container, message string) *corev1.ContainerStateTerminated {
	exit := c.Exit()
	t := &corev1.ContainerStateTerminated{
		ExitCode: int32(exit.Code), Reason: "Completed", Message: message, ContainerID: runtimeName + "://" + c.ID(),
		StartedAt: metav1.NewTime(exit.Started), FinishedAt: metav1.NewTime(exit.Finished),
	}
	switch {
	case exit.Err != nil:
		t.Reason, t.Message = "StartError", exit.Err.Error()
	case exit.Code != 0:
		t.Reason = "Error"
	}
	return t
}

func (w *worker) exited(s *slot, c container.Container, ended *corev1.ContainerStateTerminated) {
	if s.running != c {
		return
	}
	s.cancel()
	s.running, s.stop, s.waiting, s.later = nil, nil, nil, nil
	s.started, s.ready = false, false
	s.ended = ended
	w.decideRestart(s, ended.FinishedAt.Sub(ended.StartedAt.Time))
}

func (w *worker) decideRestart(s *slot, ran time.Duration) {
	code := s.ended.ExitCode
	switch {
	case s.kind == initContainer && code == 0:
		s.passed, s.done = true, true
		return
	case w.end != nil, !s.shouldRestart(w.pod, code), s.kind == sidecar && w.completed():
		s.done = true
		return
	}
	delay := s.crashes.ended(ran)
	s.notBefore = s.ended.FinishedAt.Add(delay)
	if delay == 0 {
		return
	}
	name := fmt.Sprintf("%s_%s(%s)", w.pod.Name, w.pod.Namespace, w.pod.UID)
	w.event(s, corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container %s in pod %s", s.spec.Name, name)
	s.then = s.ended.FinishedAt.Add(terminatedFor)
	s.later = &corev1.ContainerStateWaiting{
		Reason:  "CrashLoopBackOff",
		Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", delay, s.spec.Name, name),
	}
}

// terminationMessage reads the message from the container's file, or from its log if allowed.
func (a *attempt) terminationMessage(code int) string {
	if a.spec.TerminationMessagePath == "" {
		return ""
	}
	if text := fileEnd(a.message(), messageBytes); len(text) > 0 {
		return string(text)
	}
	if a.spec.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError || code == 0 {
		return ""
	}
	return logTail(a.log(a.run))
}

// fileEnd returns the last bytes of a file (at most most), or nil if it is unreadable.
func fileEnd(path string, most int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-most), most))
	if err != nil {
		return nil
	}
	return text
}

// logTail returns the last 80 lines of a container's log, at most 2048 bytes.
func logTail(path string) string {
	lines := bytes.SplitAfter(fileEnd(path, logWindow), []byte("\n"))
	var tail []byte
	taken := 0
	for _, line := range slices.Backward(lines) {
		parts := bytes.SplitN(line, []byte(" "), logFieldCount)
		if len(parts) < logFieldCount {
			continue
		}
		text := parts[3]
		if string(parts[2]) == "P" { // a partial line
			text = bytes.TrimSuffix(text, []byte("\n"))
		}
		tail = append(bytes.Clone(text), tail...)
		if taken++; taken == logTailLines || len(tail) >= logTailBytes {
			break
		}
	}
	return string(tail[max(0, len(tail)-logTailBytes):])
}
