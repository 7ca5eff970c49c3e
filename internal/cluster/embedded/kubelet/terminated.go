package kubelet

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// Limits of the termination message
// (https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/#customizing-the-termination-message).
const (
	messageBytes  = 4096
	logTailBytes  = 2048
	logTailLines  = 80
	logFieldCount = 4        // time, stream, tag, text
	logWindow     = 64 << 10 // read this much from the end of a log to get its tail
)

// watch waits until a container exits and reports it to the worker.
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

// exited handles the exit of a container.
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

// decideRestart determines whether and when an exited container restarts.
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
	w.event(s, corev1.EventTypeWarning, reasonBackOff, "Back-off restarting failed container %s in pod %s", s.spec.Name, name)
	s.then = s.ended.FinishedAt.Add(terminatedFor)
	s.later = &corev1.ContainerStateWaiting{
		Reason:  waitCrashLoop,
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

// fileEnd returns at most the last `most` bytes of a file, or nil if it is unreadable.
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
