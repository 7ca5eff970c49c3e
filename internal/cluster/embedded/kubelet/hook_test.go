package kubelet

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

func withPreStop(seconds int64) *corev1.Pod {
	return webPod(func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
			PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}},
		}
	})
}

// The preStop hook runs before SIGTERM.
func TestPreStopRunsBeforeSIGTERM(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(withPreStop(5))
		l.delete("web", 30)
		l.after(4900 * time.Millisecond)
		if got := l.runtime.latest("web").got(); len(got) != 0 {
			t.Errorf("signals during the hook: %v", got)
		}
		l.after(200 * time.Millisecond)
		if got := l.runtime.latest("web").got(); !slices.Equal(got, []syscall.Signal{syscall.SIGTERM}) {
			t.Errorf("signals after the hook: %v", got)
		}
	})
}

// After a hook that exceeds the grace period, the container gets two more seconds.
func TestSlowPreStopExtendsGracePeriod(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{stubborn: true})
		l.create(withPreStop(60))
		l.delete("web", 3)
		l.after(4900 * time.Millisecond)
		if got := l.runtime.latest("web").got(); !slices.Equal(got, []syscall.Signal{syscall.SIGTERM}) {
			t.Errorf("signals after the grace period: %v", got)
		}
		l.after(200 * time.Millisecond)
		if got := l.runtime.latest("web").got(); !slices.Equal(got, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}) {
			t.Errorf("signals two seconds later: %v", got)
		}
	})
}

// A container is not Running before its postStart hook ends.
func TestPostStartDelaysRunning(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) {
			p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
				PostStart: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 2}},
			}
		}))
		l.after(time.Second)
		if pod, c := l.pod("web"), l.container("web", "web"); c.State.Running != nil || c.Ready || pod.Status.Phase != corev1.PodPending {
			t.Errorf("during the hook: %s %+v", pod.Status.Phase, c)
		}
		l.after(2 * time.Second)
		if c := l.container("web", "web"); c.State.Running == nil || !c.Ready {
			t.Errorf("after the hook: %+v", c)
		}
	})
}

func TestFailedPostStartStopsContainer(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.exec = func(context.Context, container.Exec) (int, error) { return 1, nil }
		l.create(webPod(func(p *corev1.Pod) {
			p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
				PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"warm-up"}}},
			}
		}))
		l.after(5 * time.Second)
		if c := l.container("web", "web"); c.State.Waiting == nil || c.State.Waiting.Reason != "CrashLoopBackOff" || c.RestartCount != 1 {
			t.Errorf("container: %+v", c)
		}
		l.wantEvent("Warning FailedPostStartHook: PostStartHook failed")
	})
}
