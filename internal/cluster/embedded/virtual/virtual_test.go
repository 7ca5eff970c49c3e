package virtual

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// testCluster is an API server with virtual nodes.
type testCluster struct {
	kubernetes.Interface
	server net.Addr
}

// start simulates the virtual nodes of a cluster with these objects.
func start(t *testing.T, objects ...metav1.Object) *testCluster {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := startOn(t, func(context.Context, string, string) (net.Listener, error) { return l, nil }, objects...)
	w.server = l.Addr()
	return w
}

// startOn is like start, with a listener of the caller.
func startOn(t *testing.T, listen func(context.Context, string, string) (net.Listener, error), objects ...metav1.Object) *testCluster {
	t.Helper()
	client := fake.NewClientset()
	for _, object := range objects {
		switch o := object.(type) {
		case *corev1.Node:
			create(t, func() error {
				_, err := client.CoreV1().Nodes().Create(t.Context(), o, metav1.CreateOptions{})
				return err
			})
		case *corev1.Pod:
			create(t, func() error {
				_, err := client.CoreV1().Pods(o.Namespace).Create(t.Context(), o, metav1.CreateOptions{})
				return err
			})
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{
			Client: client, Version: "v1.2.3", Log: t.Logf,
			Listen: listen,
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return &testCluster{Interface: client}
}

func create(t *testing.T, f func() error) {
	t.Helper()
	if err := f(); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not %s after 10 seconds", what)
		}
	}
}

func (w *testCluster) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pod, err := w.CoreV1().Pods("shop").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func (w *testCluster) untilReady(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	until(t, name+" Ready", func() bool { return podReady(w.pod(t, name)) })
	return w.pod(t, name)
}

func node(name string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{Label: "true"}}}
}

func pod(name, node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID("uid-of-" + name)},
		Spec: corev1.PodSpec{
			NodeName: node, InitContainers: []corev1.Container{{Name: "prepare", Image: "b"}},
			Containers: []corev1.Container{{Name: "web", Image: "a"}},
		},
	}
}

func TestNodeBecomesReadyAndHasLease(t *testing.T) {
	w := start(t, node("v1"))
	until(t, "node Ready", func() bool {
		n, err := w.CoreV1().Nodes().Get(t.Context(), "v1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return nodeReady(n) && n.Status.Capacity.Pods().Value() == defaultCapacity && n.Status.NodeInfo.KubeletVersion == "v1.2.3"
	})
	lease, err := w.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(t.Context(), "v1", metav1.GetOptions{})
	if err != nil || lease.Spec.RenewTime == nil || *lease.Spec.HolderIdentity != "v1" {
		t.Errorf("lease %+v, error %v", lease, err)
	}
}

func TestBoundPodsBecomeReadyWithUniqueAddresses(t *testing.T) {
	pods := []metav1.Object{node("v1")}
	for i := range 20 {
		pods = append(pods, pod(fmt.Sprintf("before-%d", i), "v1"))
	}
	w := start(t, pods...)
	for i := range 20 {
		late := pod(fmt.Sprintf("after-%d", i), "v1")
		create(t, func() error {
			_, err := w.CoreV1().Pods("shop").Create(t.Context(), late, metav1.CreateOptions{})
			return err
		})
	}
	seen := map[string]string{}
	for i := range 20 {
		for _, name := range []string{fmt.Sprintf("before-%d", i), fmt.Sprintf("after-%d", i)} {
			got := w.untilReady(t, name).Status
			if other := seen[got.PodIP]; other != "" {
				t.Errorf("%s and %s both have %s", name, other, got.PodIP)
			}
			seen[got.PodIP] = name
			if address, err := netip.ParseAddr(got.PodIP); err != nil || !network.Virtual.Contains(address) {
				t.Errorf("%s has the address %q", name, got.PodIP)
			}
			if containers := got.ContainerStatuses; got.Phase != corev1.PodRunning || len(containers) != 1 ||
				!containers[0].Ready || containers[0].State.Running == nil {
				t.Errorf("%s has the status %+v", name, got)
			}
			if len(got.InitContainerStatuses) != 1 || got.InitContainerStatuses[0].State.Terminated == nil {
				t.Errorf("%s: init containers %+v", name, got.InitContainerStatuses)
			}
		}
	}
}

func TestPodsOfOtherNodesStayUnchanged(t *testing.T) {
	w := start(t, node("v1"), pod("elsewhere", "real"), pod("here", "v1"))
	w.untilReady(t, "here")
	if phase := w.pod(t, "elsewhere").Status.Phase; phase != "" {
		t.Errorf("the pod of another node has phase %s", phase)
	}
}

func TestPodOlderThanNodeBecomesReady(t *testing.T) {
	w := start(t, node("v1"), pod("early", "v2"), pod("here", "v1"))
	w.untilReady(t, "here") // the cache contains the pods
	create(t, func() error {
		_, err := w.CoreV1().Nodes().Create(t.Context(), node("v2"), metav1.CreateOptions{})
		return err
	})
	w.untilReady(t, "early")
}

func TestDeletedPodIsRemovedAtOnce(t *testing.T) {
	deleted := pod("deleted", "v1")
	now := metav1.Now()
	deleted.DeletionTimestamp, deleted.Finalizers = &now, []string{"example.test/keep"}
	w := start(t, node("v1"), deleted)
	until(t, "deleted", func() bool {
		_, err := w.CoreV1().Pods("shop").Get(t.Context(), "deleted", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

// After a restart, the supervisor finds pods that already have addresses.
func TestAllocateSkipsRestoredAddress(t *testing.T) {
	old := pod("old", "v1")
	first := network.Virtual.Masked().Addr().Next()
	old.Status = podStatus(old, first, metav1.Now())
	a := newAddresses(network.Virtual)
	a.restore(old.UID, first)
	if address, err := a.allocate("new"); err != nil || address == first {
		t.Errorf("got %s, %v", address, err)
	}
	if !a.inUse(first) {
		t.Errorf("%s is not in use", first)
	}
}

func TestAllocateReusesReleasedAddress(t *testing.T) {
	a := newAddresses(netip.MustParsePrefix("10.128.0.0/29")) // six addresses for pods
	for i := range 6 {
		if _, err := a.allocate(types.UID(fmt.Sprint(i))); err != nil {
			t.Fatalf("pod %d: %v", i, err)
		}
	}
	if address, err := a.allocate("one too many"); err == nil {
		t.Errorf("got %s", address)
	}
	freed, _ := a.allocate("2")
	a.release("2")
	if address, err := a.allocate("next"); err != nil || address != freed {
		t.Errorf("got %s, %v; want %s", address, err, freed)
	}
}

func TestServerResetsConnectionWithoutPod(t *testing.T) {
	w := start(t, node("v1"))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.server.String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err == nil {
		_ = response.Body.Close()
		t.Errorf("got %s", response.Status)
	}
}
