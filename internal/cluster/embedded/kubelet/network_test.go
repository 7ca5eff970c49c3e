package kubelet

import (
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func withHostPort(name string, uid string) *corev1.Pod {
	return webPod(func(p *corev1.Pod) {
		p.Name, p.UID = name, "uid-"+types.UID(uid)
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080, Protocol: corev1.ProtocolTCP}}
	})
}

// Only one pod can use a host port. A second pod waits for it, with an Event.
func TestSecondPodWaitsForHostPort(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(withHostPort("first", "1"))
		l.create(withHostPort("second", "2"))
		if first, second := l.pod("first"), l.pod("second"); first.Status.Phase != corev1.PodRunning || second.Status.Phase != corev1.PodPending {
			t.Errorf("first pod is %s, second is %s", first.Status.Phase, second.Status.Phase)
		}
		l.wantEvent("Warning FailedCreatePodSandBox: Failed to create pod sandbox: host port 8080/TCP of container web: " +
			"listen tcp: bind: address already in use")
		l.delete("first", 1)
		l.after(20 * time.Second)
		if second := l.pod("second"); second.Status.Phase != corev1.PodRunning {
			t.Errorf("second pod: %+v", second.Status)
		}
	})
}

// A pod with hostNetwork has the node's address and does not close the node's namespace.
func TestHostNetworkPodUsesNodeAddress(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
		if pod := l.pod("web"); pod.Status.PodIP != "172.30.0.2" || pod.Status.Phase != corev1.PodRunning {
			t.Errorf("status: %+v", pod.Status)
		}
		l.delete("web", 1)
		l.after(2 * time.Second)
		if l.pod("web") != nil || l.node.closed {
			t.Errorf("pod exists: %t; node's namespace is closed: %t", l.pod("web") != nil, l.node.closed)
		}
	})
}

// A released address is allocated last.
func TestAddressesAreReusedLate(t *testing.T) {
	pool, err := newAddressPool(netip.MustParsePrefix("10.244.7.0/24"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := pool.allocate()
	if err != nil || first.String() != "10.244.7.2" {
		t.Fatalf("first address: %s, %v", first, err)
	}
	pool.release(first)
	seen := map[netip.Addr]bool{}
	for range 253 {
		a, err := pool.allocate()
		if err != nil || seen[a] || !netip.MustParsePrefix("10.244.7.0/24").Contains(a) {
			t.Fatalf("address %s, already seen: %t, %v", a, seen[a], err)
		}
		if a == first && len(seen) < 252 {
			t.Errorf("%s was reused after %d other addresses", a, len(seen))
		}
		seen[a] = true
	}
	if a, err := pool.allocate(); err == nil {
		t.Errorf("more addresses than in a /24: %s", a)
	}
}

func TestAddressPoolRequiresIPv4Slash24(t *testing.T) {
	for _, r := range []string{"10.244.0.0/16", "fd00::/24"} {
		if _, err := newAddressPool(netip.MustParsePrefix(r)); err == nil {
			t.Errorf("pod range %s was accepted", r)
		}
	}
}
