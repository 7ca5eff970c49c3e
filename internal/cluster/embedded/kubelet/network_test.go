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

// A host port can be had by one pod; another one waits for it, and says so.
func TestHostPort(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(withHostPort("first", "1"))
		l.create(withHostPort("second", "2"))
		if first, second := l.pod("first"), l.pod("second"); first.Status.Phase != corev1.PodRunning || second.Status.Phase != corev1.PodPending {
			t.Errorf("first is %s and second %s", first.Status.Phase, second.Status.Phase)
		}
		l.wantEvent("Warning FailedCreatePodSandBox: Failed to create pod sandbox: host port 8080/TCP of container web: " +
			"listen tcp: bind: address already in use")
		l.delete("first", 1)
		l.after(20 * time.Second)
		if second := l.pod("second"); second.Status.Phase != corev1.PodRunning {
			t.Errorf("second: %+v", second.Status)
		}
	})
}

// A pod with hostNetwork has the node's address, and leaves the node's network open when it ends.
func TestHostNetwork(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
		if pod := l.pod("web"); pod.Status.PodIP != "172.30.0.2" || pod.Status.Phase != corev1.PodRunning {
			t.Errorf("status: %+v", pod.Status)
		}
		l.delete("web", 1)
		l.after(2 * time.Second)
		if l.pod("web") != nil || l.node.closed {
			t.Errorf("the pod is there: %t; the node's network is closed: %t", l.pod("web") != nil, l.node.closed)
		}
	})
}

// An address that was given back comes last.
func TestAddressesAreReusedLate(t *testing.T) {
	pool, err := newAddressPool(netip.MustParsePrefix("10.244.7.0/24"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := pool.take()
	if err != nil || first.String() != "10.244.7.2" {
		t.Fatalf("the first address is %s, %v", first, err)
	}
	pool.give(first)
	seen := map[netip.Addr]bool{}
	for range 253 {
		a, err := pool.take()
		if err != nil || seen[a] || !netip.MustParsePrefix("10.244.7.0/24").Contains(a) {
			t.Fatalf("address %s, seen before: %t, %v", a, seen[a], err)
		}
		if a == first && len(seen) < 252 {
			t.Errorf("%s was reused after %d others", a, len(seen))
		}
		seen[a] = true
	}
	if a, err := pool.take(); err == nil {
		t.Errorf("there are more addresses than a /24 has: %s", a)
	}
}

func TestAPoolNeedsARange(t *testing.T) {
	for _, r := range []string{"10.244.0.0/16", "fd00::/24"} {
		if _, err := newAddressPool(netip.MustParsePrefix(r)); err == nil {
			t.Errorf("%s was taken for a node's pod range", r)
		}
	}
}
