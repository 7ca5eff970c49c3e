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

// How much of a container's last words is kept
// (https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/#customizing-the-termination-message).
const (
	messageBytes  = 4096
	logTailBytes  = 2048
	logTailLines  = 80
	logFieldCount = 4 // time, stream, tag, text
	// logWindow is how much of the end of a log surely has those lines, or that much text in the last of them.
	logWindow = 64 << 10
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
	if text := fileEnd(a.message(), messageBytes); len(text) > 0 {
		return string(text)
	}
	if a.spec.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError || code == 0 {
		return ""
	}
	return logTail(a.log(a.run))
}

// fileEnd returns the last bytes of a file, as many as there are or at most so many: a container may have written more than
// there is memory for. What cannot be read is empty.
func fileEnd(path string, most int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // only read
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

// logTail is the end of the text of a container's log.
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
		if string(parts[2]) == "P" { // the line goes on
			text = bytes.TrimSuffix(text, []byte("\n"))
		}
		tail = append(bytes.Clone(text), tail...)
		if taken++; taken == logTailLines || len(tail) >= logTailBytes {
			break
		}
	}
	return string(tail[max(0, len(tail)-logTailBytes):])
}
