package kubelet

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// How much of a container's last words is kept
// (https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/#customizing-the-termination-message).
const (
	messageBytes  = 4096
	logTailBytes  = 2048
	logTailLines  = 80
	logFieldCount = 4 // time, stream, tag, text
)

// watch waits for the end of a container and reports it to the worker.
func (a *attempt) watch(w *worker, s *slot, c container.Container) {
	select {
	case <-c.Done():
	case <-w.ctx.Done():
		return
	}
	ended := terminated(c, a.lastWords(c.Exit().Code))
	w.post(func() { w.exited(s, c, ended) })
	_ = os.RemoveAll(a.root()) // what fails here is removed with the pod
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

// exited is the end of a run.
func (w *worker) exited(s *slot, c container.Container, ended *corev1.ContainerStateTerminated) {
	if s.running != c {
		return
	}
	s.cancel()
	s.running, s.stop, s.waiting, s.later = nil, nil, nil, nil
	s.started, s.ready = false, false
	s.ended = ended
	w.decide(s, ended.FinishedAt.Sub(ended.StartedAt.Time))
}

// decide says whether a container that has ended is started again, and when.
func (w *worker) decide(s *slot, ran time.Duration) {
	code := s.ended.ExitCode
	switch {
	case s.kind == initial && code == 0:
		s.passed, s.done = true, true
		return
	case w.end != nil, !s.again(w.pod, code), s.kind == sidecar && w.finished():
		s.done = true
		return
	}
	delay := s.crashes.ended(ran)
	s.notBefore = s.ended.FinishedAt.Add(delay)
	if delay == 0 {
		return
	}
	name := fmt.Sprintf("%s_%s(%s)", w.pod.Name, w.pod.Namespace, w.pod.UID)
	w.event(s, corev1.EventTypeWarning, reasonBackOff, "Back-off restarting failed container %s in pod %s", s.spec.Name, name)
	s.then = s.ended.FinishedAt.Add(seenEnded)
	s.later = &corev1.ContainerStateWaiting{
		Reason:  waitCrashLoop,
		Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", delay, s.spec.Name, name),
	}
}

// lastWords is what the container left in its file, or at the end of its log if the manifest says so.
func (a *attempt) lastWords(code int) string {
	if a.spec.TerminationMessagePath == "" {
		return ""
	}
	text, err := os.ReadFile(a.message())
	if err == nil && len(text) > 0 {
		return string(text[:min(len(text), messageBytes)])
	}
	if a.spec.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError || code == 0 {
		return ""
	}
	return logTail(a.log(a.run))
}

// logTail is the text of the last lines of a container's log.
func logTail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	var tail [][]byte
	size := 0
	for _, line := range slices.Backward(lines) {
		parts := bytes.SplitN(line, []byte(" "), logFieldCount)
		if len(parts) < logFieldCount {
			continue
		}
		if size += len(parts[3]); size > logTailBytes || len(tail) == logTailLines {
			break
		}
		tail = append(tail, parts[3])
	}
	slices.Reverse(tail)
	return string(bytes.Join(tail, nil))
}
