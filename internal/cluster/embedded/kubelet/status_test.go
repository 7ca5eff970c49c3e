package kubelet

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
)

func (l *rig) statusPatches() (patches []string) {
	for _, a := range l.client.Actions() {
		if p, ok := a.(clienttesting.PatchAction); ok && p.GetResource().Resource == "pods" && p.GetSubresource() == "status" {
			patches = append(patches, string(p.GetPatch()))
		}
	}
	return patches
}

// The status is written only when it changes, with the pod's UID.
func TestStatusIsWrittenOnChange(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod())
		l.after(time.Second)
		count := len(l.statusPatches())
		if count == 0 || count > 3 {
			t.Errorf("%d patches to start a pod", count)
		}
		for _, p := range l.statusPatches() {
			if !strings.Contains(p, `"uid":"uid-1"`) {
				t.Errorf("patch without the pod's UID: %s", p)
			}
		}
		l.after(10 * time.Minute)
		if now := len(l.statusPatches()); now != count {
			t.Errorf("%d patches without a change: %q", now-count, l.statusPatches()[count:])
		}
	})
}

// After an outage, the API server gets the latest status.
func TestStatusIsRetried(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		var away atomic.Bool
		away.Store(true)
		l.client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return away.Load(), nil, errors.New("connection refused")
		})
		l.create(webPod())
		l.after(time.Minute)
		if pod := l.pod("web"); pod.Status.Phase != corev1.PodPending {
			t.Errorf("status: %+v", pod.Status)
		}
		away.Store(false)
		l.after(10 * time.Second)
		if pod := l.pod("web"); pod.Status.Phase != corev1.PodRunning {
			t.Errorf("status: %+v", pod.Status)
		}
	})
}

// Conditions of other clients stay, and readiness gates use them.
func TestReadinessGateDelaysReady(t *testing.T) {
	const gate corev1.PodConditionType = "shop.test/listed"
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) { p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}} }))
		ready := func() corev1.PodCondition { return *condition(l.pod("web").Status.Conditions, corev1.PodReady) }
		if c := ready(); c.Status != corev1.ConditionFalse || c.Reason != "ReadinessGatesNotReady" ||
			c.Message != `corresponding condition of pod readiness gate "shop.test/listed" does not exist.` {
			t.Errorf("without the condition: %+v", c)
		}
		patch := `{"status":{"conditions":[{"type":"shop.test/listed","status":"True"}]}}`
		if _, err := l.client.CoreV1().Pods("shop").Patch(l.t.Context(), "web", types.StrategicMergePatchType, []byte(patch),
			metav1.PatchOptions{}, "status"); err != nil {
			t.Fatal(err)
		}
		l.after(time.Second)
		if c := ready(); c.Status != corev1.ConditionTrue || condition(l.pod("web").Status.Conditions, gate) == nil {
			t.Errorf("with the condition: %+v", l.pod("web").Status.Conditions)
		}
	})
}

// A transition time changes only when the condition's status changes.
func TestTransitionTimeOfConditions(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod())
		at := func() metav1.Time {
			return condition(l.pod("web").Status.Conditions, corev1.PodReady).LastTransitionTime
		}
		first := at()
		l.after(time.Minute)
		l.runtime.latest("web").end(1)
		l.after(time.Second)
		if second := at(); !second.After(first.Time) {
			t.Errorf("ready since %v after a restart, since %v before", second, first)
		}
		scheduled := condition(l.pod("web").Status.Conditions, corev1.PodScheduled).LastTransitionTime
		if !scheduled.Equal(&first) {
			t.Errorf("scheduled at %v, started at %v", scheduled, first)
		}
	})
}

func TestActiveDeadlineFailsPod(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		limit := int64(60)
		l.create(webPod(func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = &limit }))
		l.after(59 * time.Second)
		if pod := l.pod("web"); pod.Status.Phase != corev1.PodRunning {
			t.Errorf("before: %+v", pod.Status)
		}
		l.after(2 * time.Second)
		pod := l.pod("web")
		if pod == nil || pod.Status.Phase != corev1.PodFailed || pod.Status.Reason != "DeadlineExceeded" ||
			pod.Status.Message != "Pod was active on the node longer than the specified deadline" {
			t.Errorf("after: %+v", pod)
		}
	})
}

// kubectl debug adds a container to a running pod.
func TestEphemeralContainerStarts(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod())
		pod := l.pod("web").DeepCopy()
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{
			{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Image: "web:1"}},
		}
		if _, err := l.client.CoreV1().Pods("shop").Update(l.t.Context(), pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		l.after(time.Second)
		if c := l.container("web", "debugger"); c.State.Running == nil {
			t.Errorf("debugger: %+v", c)
		}
		l.runtime.latest("debugger").end(1)
		l.after(time.Minute)
		if c := l.container("web", "debugger"); c.State.Terminated == nil || c.RestartCount != 0 {
			t.Errorf("debugger after its exit: %+v", c)
		}
		if web := l.pod("web"); web.Status.Phase != corev1.PodRunning ||
			condition(web.Status.Conditions, corev1.PodReady).Status != corev1.ConditionTrue {
			t.Errorf("pod after the debugger's exit: %+v", web.Status)
		}
	})
}

// A container's restart rules override the pod's restart policy.
func TestRestartRulesOverridePolicy(t *testing.T) {
	never := corev1.ContainerRestartPolicyNever
	pod := webPod(func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.RestartPolicy = &never
		c.RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action: corev1.ContainerRestartRuleActionRestart,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
				Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42},
			},
		}}
	})
	s := slots(pod)[0]
	if !s.shouldRestart(pod, 42) || s.shouldRestart(pod, 1) || s.shouldRestart(pod, 0) {
		t.Errorf("restarted after 42: %t, after 1: %t, after 0: %t", s.shouldRestart(pod, 42), s.shouldRestart(pod, 1), s.shouldRestart(pod, 0))
	}
}

func TestBackOffDelays(t *testing.T) {
	var b backoff
	want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute,
		5 * time.Minute}
	var got []time.Duration
	for range want {
		got = append(got, b.ended(time.Second))
	}
	if !slices.Equal(got, want) {
		t.Errorf("restart delays: %v", got)
	}
	if d := b.ended(10 * time.Minute); d != 0 {
		t.Errorf("after a run of ten minutes: %v", d)
	}
	if d := b.ended(time.Second); d != 10*time.Second {
		t.Errorf("next delay: %v", d)
	}
}

// A pod that still waits for a volume can be deleted.
func TestDeletionOfWaitingPod(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.specs.set(errors.New(`volume "cert": secret "web-tls" not found`), nil)
		l.create(webPod())
		l.delete("web", 30)
		l.after(2 * time.Second)
		if pod := l.pod("web"); pod != nil || len(l.runtime.names()) != 0 {
			t.Errorf("pod %+v after starting %v", pod, l.runtime.names())
		}
	})
}
