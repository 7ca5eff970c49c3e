package supervisor

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

func TestNodeNamesMatchKind(t *testing.T) {
	for i, want := range []string{"lab-control-plane", "lab-worker", "lab-worker2", "lab-worker3"} {
		if got := NodeName("lab", i); got != want {
			t.Errorf("node %d: name %s, want %s", i, got, want)
		}
	}
}

func TestNodesHaveUniqueAddresses(t *testing.T) {
	used := map[netip.Addr]int{network.Hub: -1}
	ranges := map[netip.Prefix]int{}
	for i := range cluster.MaxNodes {
		address, pods := NodeAddress(i), podRange(i)
		if other, ok := used[address]; ok || !network.Nodes.Contains(address) {
			t.Errorf("node %d: address %s belongs to node %d or is outside %s", i, address, other, network.Nodes)
		}
		if other, ok := ranges[pods]; ok || !network.Pods.Contains(pods.Addr()) || pods != pods.Masked() {
			t.Errorf("node %d: pod range %s belongs to node %d or is outside %s", i, pods, other, network.Pods)
		}
		used[address], ranges[pods] = i, i
	}
}

func TestControlPlaneNodeIsTaintedIfOthersExist(t *testing.T) {
	for _, c := range []struct {
		nodes, node int
		tainted     bool
	}{{1, 0, false}, {2, 0, true}, {2, 1, false}} {
		s := &supervisor{Request: Request{Nodes: c.nodes}}
		taints := s.taints(c.node)
		if (len(taints) > 0) != c.tainted {
			t.Errorf("node %d of %d: taints %v", c.node, c.nodes, taints)
		}
		for _, taint := range taints {
			if taint.Effect != corev1.TaintEffectNoSchedule {
				t.Errorf("taint %v; want NoSchedule, as in kubeadm", taint)
			}
		}
	}
}

func TestNotReadyTaintMakesNodeUnreachable(t *testing.T) {
	for key, want := range map[string]bool{
		corev1.TaintNodeNotReady: true, corev1.TaintNodeUnreachable: true, controlPlaneRole: false,
	} {
		n := &corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: key}}}}
		if got := unreachable(n); got != want {
			t.Errorf("taint %s: unreachable is %v", key, got)
		}
	}
}
