package kubelet

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// A pod without probes is Ready when its container runs.
func TestPodRuns(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod())
		pod := l.pod("web")
		if pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP != "10.244.1.2" || pod.Status.HostIP != "172.30.0.2" {
			t.Errorf("status: %+v", pod.Status)
		}
		for _, c := range []corev1.PodConditionType{
			corev1.PodReady, corev1.ContainersReady, corev1.PodInitialized, corev1.PodScheduled, corev1.PodReadyToStartContainers,
		} {
			if found := condition(pod.Status.Conditions, c); found == nil || found.Status != corev1.ConditionTrue || found.ObservedGeneration != 1 {
				t.Errorf("condition %s: %+v", c, found)
			}
		}
		c := l.container("web", "web")
		if c.State.Running == nil || !c.Ready || !*c.Started || c.RestartCount != 0 || c.ImageID != "sha256:abc" ||
			c.Image != "docker.io/library/web:1" || !strings.HasPrefix(c.ContainerID, "ingresslab://") {
			t.Errorf("container: %+v", c)
		}
		if pod.Status.QOSClass != corev1.PodQOSBestEffort {
			t.Errorf("QoS class changed to %q", pod.Status.QOSClass)
		}
		for _, e := range []string{
			`Normal Pulled: Container image "web:1" already present on machine and can be accessed by the pod`,
			"Normal Created: Container created", "Normal Started: Container started",
		} {
			l.wantEvent(e)
		}
	})
}

// A deleted pod gets SIGTERM before it leaves the API.
func TestDeletedPodGetsSIGTERM(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod())
		l.delete("web", 30)
		l.after(time.Second)
		if got := l.runtime.latest("web").got(); !slices.Equal(got, []syscall.Signal{syscall.SIGTERM}) {
			t.Errorf("signals: %v", got)
		}
		if pod := l.pod("web"); pod != nil {
			t.Errorf("pod still exists: %+v", pod.Status)
		}
		l.wantEvent("Normal Killing: Stopping container web")
	})
}

// A container that ignores SIGTERM gets SIGKILL at the end of the grace period.
func TestSIGKILLFollowsGracePeriod(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{stubborn: true})
		l.create(webPod())
		l.delete("web", 5)
		l.after(4900 * time.Millisecond)
		if got := l.runtime.latest("web").got(); !slices.Equal(got, []syscall.Signal{syscall.SIGTERM}) {
			t.Errorf("signals within the grace period: %v", got)
		}
		l.after(200 * time.Millisecond)
		if got := l.runtime.latest("web").got(); !slices.Equal(got, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}) {
			t.Errorf("signals after the grace period: %v", got)
		}
		if l.pod("web") != nil {
			t.Error("pod still exists")
		}
	})
}

// A second deletion can shorten the grace period.
func TestSecondDeletionShortensGracePeriod(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{stubborn: true})
		l.create(webPod())
		l.delete("web", 300)
		l.after(time.Second)
		l.delete("web", 1)
		l.after(1100 * time.Millisecond)
		if l.pod("web") != nil {
			t.Error("pod still exists")
		}
	})
}

// A pod that was force-deleted from the API stops.
func TestForceDeletedPodStops(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{stubborn: true})
		l.create(webPod())
		if err := l.client.CoreV1().Pods("shop").Delete(l.t.Context(), "web", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		l.after(2 * time.Second)
		select {
		case <-l.runtime.latest("web").Done():
		default:
			t.Error("container still runs")
		}
	})
}

func TestNodeIsRegistered(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		node, err := l.client.CoreV1().Nodes().Get(l.t.Context(), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if node.Labels["zone"] != "a" || node.Labels["kubernetes.io/hostname"] != "node-1" || node.Spec.PodCIDR != "10.244.1.0/24" {
			t.Errorf("node: %+v", node)
		}
		ready := node.Status.Conditions[slices.IndexFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady
		})]
		if ready.Status != corev1.ConditionTrue || node.Status.Addresses[0].Address != "172.30.0.2" ||
			node.Status.DaemonEndpoints.KubeletEndpoint.Port != 10250 || node.Status.NodeInfo.KubeletVersion != "v1.36.3" {
			t.Errorf("status: %+v", node.Status)
		}
		before := l.renewed()
		l.after(25 * time.Second)
		if now := l.renewed(); now.Sub(before) < 20*time.Second {
			t.Errorf("lease renewed at %v, after %v", now, before)
		}
	})
}

func (l *rig) renewed() time.Time {
	l.t.Helper()
	lease, err := l.client.CoordinationV1().Leases("kube-node-lease").Get(l.t.Context(), "node-1", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return lease.Spec.RenewTime.Time
}

// After an API server outage, the Node is not ready. The node renews its Lease and its status.
func TestNodeRecoversAfterAPIServerOutage(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.leasesLost.Store(true)
		l.after(time.Minute)
		node, err := l.client.CoreV1().Nodes().Get(t.Context(), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		node = node.DeepCopy()
		for i := range node.Status.Conditions {
			node.Status.Conditions[i].Status = corev1.ConditionUnknown
		}
		if _, err := l.client.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		l.leasesLost.Store(false)
		before := l.renewed()
		l.after(15 * time.Second)
		if now := l.renewed(); !now.After(before) {
			t.Errorf("lease renewed at %v", now)
		}
		node, err = l.client.CoreV1().Nodes().Get(t.Context(), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range node.Status.Conditions {
			if c.Status == corev1.ConditionUnknown {
				t.Errorf("condition %s is still Unknown", c.Type)
			}
		}
	})
}

// After a restart, the Node keeps the labels and taints of other clients.
func TestRestartedNodeKeepsLabelsAndTaints(t *testing.T) {
	old := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{"mine": "yes"}}}
	withNode(t, []runtime.Object{old}, func(l *rig) {
		node, err := l.client.CoreV1().Nodes().Get(l.t.Context(), "node-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if node.Labels["mine"] != "yes" || node.Labels["zone"] != "a" || len(node.Status.Conditions) != 4 {
			t.Errorf("node: %+v", node)
		}
	})
}
