package kubelet

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// before returns a pod with the status from an earlier run of the node.
func before(edit func(*corev1.Pod)) *corev1.Pod {
	return webPod(func(p *corev1.Pod) {
		p.Status = corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.244.1.99", PodIPs: []corev1.PodIP{{IP: "10.244.1.99"}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "web", RestartCount: 2, Ready: true, ContainerID: "ingresslab://old",
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			}},
		}
		edit(p)
	})
}

// Containers that ran when the node stopped run again, as after a reboot.
func TestPodRestartsAfterNodeRestart(t *testing.T) {
	withNode(t, []runtime.Object{before(func(*corev1.Pod) {})}, func(l *rig) {
		c := l.container("web", "web")
		if c.State.Running == nil || c.RestartCount != 3 || c.LastTerminationState.Terminated.Reason != "Unknown" ||
			c.LastTerminationState.Terminated.ContainerID != "ingresslab://old" {
			t.Errorf("container: %+v", c)
		}
		if pod := l.pod("web"); pod.Status.PodIP != "10.244.1.2" || len(pod.Status.PodIPs) != 1 {
			t.Errorf("addresses: %+v", pod.Status)
		}
	})
}

func TestPodWithPolicyNeverFailsAfterNodeRestart(t *testing.T) {
	old := before(func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyNever })
	withNode(t, []runtime.Object{old}, func(l *rig) {
		l.after(time.Second)
		if pod := l.pod("web"); pod.Status.Phase != corev1.PodFailed || len(l.runtime.names()) != 0 {
			t.Errorf("status %+v after starting %v", pod.Status, l.runtime.names())
		}
	})
}

// An ended pod keeps its status after a node restart, until it is deleted.
func TestEndedPodKeepsStatusAfterNodeRestart(t *testing.T) {
	old := before(func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodSucceeded
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Reason: "Completed", ContainerID: "ingresslab://old",
		}}
	})
	withNode(t, []runtime.Object{old}, func(l *rig) {
		if pod := l.pod("web"); pod.Status.Phase != corev1.PodSucceeded || pod.Status.PodIP != "10.244.1.99" || len(l.runtime.names()) != 0 {
			t.Errorf("status: %+v", pod.Status)
		}
		_, _, err := l.kubelet.Log("shop", "web", "web", false)
		l.refused(err, "unable to retrieve container logs for ingresslab://old")
		l.delete("web", 30)
		l.after(100 * time.Millisecond)
		if l.pod("web") != nil {
			t.Error("pod still exists")
		}
	})
}

// A pod that was deleted while the node was down does not start again.
func TestDeletedPodDoesNotStartAfterNodeRestart(t *testing.T) {
	old := before(func(p *corev1.Pod) {
		now, grace := metav1.Now(), int64(30)
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &now, &grace
	})
	withNode(t, []runtime.Object{old}, func(l *rig) {
		if pod := l.pod("web"); pod != nil || len(l.runtime.names()) != 0 {
			t.Errorf("pod %+v after starting %v", pod, l.runtime.names())
		}
	})
}

// A new pod with the name of a terminating pod has its own state.
func TestNewPodWithNameOfTerminatingPod(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{stubborn: true})
		l.create(webPod())
		if err := l.client.CoreV1().Pods("shop").Delete(l.t.Context(), "web", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		l.create(webPod(func(p *corev1.Pod) { p.UID = "uid-2" }))
		if pod := l.pod("web"); pod.Status.PodIP != "10.244.1.3" || pod.Status.Phase != corev1.PodRunning {
			t.Errorf("second pod: %+v", pod.Status)
		}
		l.after(5 * time.Second)
		if pod := l.pod("web"); pod == nil || pod.UID != "uid-2" || l.container("web", "web").State.Running == nil {
			t.Errorf("second pod after the end of the first: %+v", pod)
		}
	})
}
