package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// rig is a node with a fake API, network, runtime, and clock.
type rig struct {
	t       *testing.T
	client  *fake.Clientset
	runtime *fakeRuntime
	images  *fakeImages
	specs   *fakeManifests
	node    *fakeNamespace
	kubelet *Kubelet
	stop    context.CancelFunc
	over    chan error
	// leasesLost makes every renewal of a Lease fail.
	leasesLost atomic.Bool
}

// withNode runs a test with a running node and stops the node afterwards.
func withNode(t *testing.T, objects []runtime.Object, test func(l *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &rig{
			t: t, client: fake.NewClientset(objects...), runtime: &fakeRuntime{program: map[string]program{}},
			images: &fakeImages{known: []string{"web:1"}}, specs: &fakeManifests{}, node: newNamespace(netip.MustParseAddr("172.30.0.2")),
			over: make(chan error, 1),
		}
		l.nameEvents()
		l.client.PrependReactor("update", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			// Like a real client, return an empty Lease with the error.
			return l.leasesLost.Load(), &coordinationv1.Lease{}, errors.New("connection refused")
		})
		k, err := New(Config{
			Name: "node-1", Address: l.node.address, PodRange: netip.MustParsePrefix("10.244.1.0/24"),
			Labels: map[string]string{"zone": "a"}, Version: "v1.36.3", Client: l.client, Namespace: l.node, APIPort: 10250,
			AddPod: func(_ context.Context, a netip.Addr) (network.Namespace, error) { return newNamespace(a), nil },
			Images: l.images, Runtime: l.runtime, Dir: t.TempDir(), Log: t.Logf,
		})
		if err != nil {
			t.Fatal(err)
		}
		k.manifests, l.kubelet = l.specs, k
		ctx, cancel := context.WithCancel(t.Context())
		l.stop = cancel
		go func() { l.over <- k.Run(ctx) }()
		l.after(time.Second) // the node's caches sync
		test(l)
		cancel()
		if err := <-l.over; err != nil {
			t.Error(err)
		}
	})
}

// nameEvents gives each Event a unique name. Default names depend on the time, which stands still.
func (l *rig) nameEvents() {
	var count atomic.Int64
	l.client.PrependReactor("create", "events", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if create, ok := action.(clienttesting.CreateAction); ok {
			if e, ok := create.GetObject().(*corev1.Event); ok {
				e.Name = fmt.Sprintf("event-%04d", count.Add(1))
			}
		}
		return false, nil, nil
	})
}

// after advances the clock and waits until all goroutines are blocked.
func (l *rig) after(d time.Duration) {
	l.t.Helper()
	<-time.After(d)
	synctest.Wait()
}

func (l *rig) create(pod *corev1.Pod) {
	l.t.Helper()
	if _, err := l.client.CoreV1().Pods(pod.Namespace).Create(l.t.Context(), pod, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	l.after(10 * time.Millisecond)
}

// pod returns the pod from the API, or nil if it does not exist.
func (l *rig) pod(name string) *corev1.Pod {
	l.t.Helper()
	pod, err := l.client.CoreV1().Pods("shop").Get(l.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return pod
}

// container returns the status of a pod's container.
func (l *rig) container(pod, name string) corev1.ContainerStatus {
	l.t.Helper()
	p := l.pod(pod)
	if p == nil {
		l.t.Fatalf("pod %s is gone", pod)
	}
	c := containerStatusOf(&p.Status, name)
	if c == nil {
		l.t.Fatalf("pod %s has no status of a container %s: %+v", pod, name, p.Status)
	}
	return *c
}

// delete marks the pod as terminating. The fake API does not support graceful deletion.
func (l *rig) delete(name string, grace int64) {
	l.t.Helper()
	pod := l.pod(name).DeepCopy()
	now := metav1.Now()
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &now, &grace
	if _, err := l.client.CoreV1().Pods("shop").Update(l.t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	synctest.Wait()
}

// events returns the type, reason, and message of each Event, oldest first.
func (l *rig) events() []string {
	l.t.Helper()
	l.after(time.Second) // Events are written asynchronously
	list, err := l.client.CoreV1().Events("").List(l.t.Context(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return a.FirstTimestamp.Compare(b.FirstTimestamp.Time) })
	var all []string
	for _, e := range list.Items {
		all = append(all, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, e.Message))
	}
	return all
}

func (l *rig) wantEvent(text string) {
	l.t.Helper()
	if all := l.events(); !slices.Contains(all, text) {
		l.t.Errorf("event %q not found in %q", text, all)
	}
}

// webPod returns a pod with one container.
func webPod(edit ...func(*corev1.Pod)) *corev1.Pod {
	grace := int64(30)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "uid-1", Generation: 1},
		Spec: corev1.PodSpec{
			NodeName: "node-1", RestartPolicy: corev1.RestartPolicyAlways, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{Name: "web", Image: "web:1"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBestEffort},
	}
	for _, e := range edit {
		e(p)
	}
	return p
}
