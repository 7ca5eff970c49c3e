package kubelet

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func (l *rig) refused(err error, want string) {
	l.t.Helper()
	var none *NoContainerError
	if !errors.As(err, &none) || none.Message != want {
		l.t.Errorf("got %v, want %q", err, want)
	}
}

func TestLogReturnsCurrentAndPreviousRun(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		_, _, err := l.kubelet.Log("shop", "web", "web", false)
		l.refused(err, `pod "web" not found`)
		l.create(webPod())
		first, ended, err := l.kubelet.Log("shop", "web", "web", false)
		if err != nil || !exists(first) {
			t.Fatalf("log %q: %v", first, err)
		}
		select {
		case <-ended:
			t.Error("log of a running container has ended")
		default:
		}
		_, _, err = l.kubelet.Log("shop", "web", "web", true)
		l.refused(err, `previous terminated container "web" in pod "web" not found`)
		_, _, err = l.kubelet.Log("shop", "web", "other", false)
		l.refused(err, `container "other" in pod "web" is not available`)

		l.runtime.latest("web").end(1)
		<-ended
		l.after(100 * time.Millisecond)
		second, _, err := l.kubelet.Log("shop", "web", "web", false)
		if err != nil || second == first {
			t.Errorf("second run logs to %q, the log of the first: %v", second, err)
		}
		if previous, _, err := l.kubelet.Log("shop", "web", "web", true); err != nil || previous != first || !exists(previous) {
			t.Errorf("previous log: got %q, want %q: %v", previous, first, err)
		}
		// During the back-off, the run that ended is both the latest and the previous one.
		l.runtime.latest("web").end(1)
		l.after(3 * time.Second)
		for _, previous := range []bool{false, true} {
			if path, _, err := l.kubelet.Log("shop", "web", "web", previous); err != nil || path != second {
				t.Errorf("during the back-off, log with previous=%t: %q, %v", previous, path, err)
			}
		}
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestLookupOfContainerThatDoesNotRun(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "nginx:1.27" }))
		l.after(5 * time.Second)
		_, _, err := l.kubelet.Log("shop", "web", "web", false)
		l.refused(err, `container "web" in pod "web" is waiting to start: trying and failing to pull image`)
		_, err = l.kubelet.Container("shop", "web", "web")
		l.refused(err, `container not found ("web")`)
		_, err = l.kubelet.Dial(l.t.Context(), "shop", "none", 80)
		l.refused(err, `pod "none" not found`)
		l.images.load("nginx:1.27")
		l.after(5 * time.Second)
		if c, err := l.kubelet.Container("shop", "web", "web"); err != nil || c.ID() != l.runtime.latest("web").id {
			t.Errorf("container %v, %v", c, err)
		}
	})
}

// The termination message is in the status: from the container's file, or from the end of its log
// if the policy allows it.
func TestTerminationMessageIsReported(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) {
			p.Spec.RestartPolicy = corev1.RestartPolicyNever
			p.Spec.Containers[0].TerminationMessagePath = "/last/words"
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{
				Name: "log", Image: "web:1", TerminationMessagePath: "/dev/termination-log",
				TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			})
		}))
		mounts := l.runtime.latest("web").spec.Mounts
		if len(mounts) != 1 || mounts[0].Target != "/last/words" {
			t.Fatalf("mounts: %+v", mounts)
		}
		if err := os.WriteFile(mounts[0].Source, []byte("no shop"), 0o600); err != nil {
			t.Fatal(err)
		}
		path, _, err := l.kubelet.Log("shop", "web", "log", false)
		if err != nil {
			t.Fatal(err)
		}
		const text = "2026-01-02T03:04:05.6Z stdout F starting\n2026-01-02T03:04:06.6Z stderr F out of cheese\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l.runtime.latest("web").end(1)
		l.runtime.latest("log").end(1)
		l.after(time.Second)
		if c := l.container("web", "web"); c.State.Terminated.Message != "no shop" {
			t.Errorf("web: %+v", c.State.Terminated)
		}
		if c := l.container("web", "log"); c.State.Terminated.Message != "starting\nout of cheese\n" {
			t.Errorf("log: %+v", c.State.Terminated)
		}
	})
}

// The status has the end of a long termination message.
func TestLongTerminationMessageIsTruncated(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) {
			p.Spec.RestartPolicy = corev1.RestartPolicyNever
			p.Spec.Containers[0].TerminationMessagePath = "/last/words"
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{
				Name: "log", Image: "web:1", TerminationMessagePath: "/dev/termination-log",
				TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			})
		}))
		long := strings.Repeat("x", 16<<10)
		if err := os.WriteFile(l.runtime.latest("web").spec.Mounts[0].Source, []byte(long+"no shop"), 0o600); err != nil {
			t.Fatal(err)
		}
		path, _, err := l.kubelet.Log("shop", "web", "log", false)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("2026-01-02T03:04:05.6Z stdout P "+long+"\n", 10) + "2026-01-02T03:04:06.6Z stdout F out of cheese\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l.runtime.latest("web").end(1)
		l.runtime.latest("log").end(1)
		l.after(time.Second)
		for name, want := range map[string]struct {
			size int
			end  string
		}{"web": {4096, "xno shop"}, "log": {2048, "xout of cheese\n"}} {
			if got := l.container("web", name).State.Terminated.Message; len(got) != want.size || !strings.HasSuffix(got, want.end) {
				t.Errorf("%s: %d bytes, ending in %q", name, len(got), got[max(0, len(got)-20):])
			}
		}
	})
}
