package benchmark

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

func TestWatcherReportsReadyAndListedPod(t *testing.T) {
	client := fake.NewClientset()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	w, err := newWatcher(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	pod := newPod(3, 1, 0)
	if _, err := client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod = pod.DeepCopy()
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	pod.Status = corev1.PodStatus{PodIP: "10.128.0.9", Conditions: []corev1.PodCondition{ready}}
	if _, err := client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := w.awaitReady(ctx, pod.Namespace+"/"+pod.Name)
	if err != nil || got.address != "10.128.0.9" || got.at.IsZero() {
		t.Fatalf("got %+v, %v", got, err)
	}
	slice := sliceOf("a", "10.128.0.8", "10.128.0.9")
	if _, err := client.DiscoveryV1().EndpointSlices(slice.Namespace).Create(ctx, slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.awaitListed(ctx, got.address); err != nil {
		t.Fatal(err)
	}
	if ready, listed, published := w.counts(); ready != 1 || listed != 2 || published != 0 {
		t.Errorf("got %d, %d, %d", ready, listed, published)
	}
}

func sliceOf(name string, addresses ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta(namespaceName(0), name)}
	for _, a := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}})
	}
	return slice
}

// The EndpointSlice controller writes the new slice before it removes the address from the old one.
func TestWatcherKeepsAddressThatMovesBetweenSlices(t *testing.T) {
	w := &watcher{changed: make(chan struct{}), listed: map[string]listing{}}
	listed := func(want int) {
		t.Helper()
		if _, got, _ := w.counts(); got != want {
			t.Errorf("%d addresses are listed, want %d", got, want)
		}
	}
	w.see(nil, sliceOf("a", "10.128.0.1", "10.128.0.2"))
	listed(2)
	w.see(nil, sliceOf("b", "10.128.0.2"))
	listed(2)
	w.see(sliceOf("a", "10.128.0.1", "10.128.0.2"), sliceOf("a", "10.128.0.1"))
	listed(2)
	w.see(sliceOf("b", "10.128.0.2"), nil)
	listed(1)
}

func TestWatcherIgnoresAddressThatIsNotReady(t *testing.T) {
	w := &watcher{changed: make(chan struct{}), listed: map[string]listing{}}
	slice := sliceOf("a", "10.128.0.1", "10.128.0.2")
	slice.Endpoints[0].Conditions.Ready = new(false)
	w.see(nil, slice)
	if _, listed, _ := w.counts(); listed != 1 {
		t.Errorf("%d addresses are listed", listed)
	}
}

// withCollections adds DeleteCollection to a fake client.
func withCollections(client *fake.Clientset) {
	tracker := client.Tracker()
	client.PrependReactor("delete-collection", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		collection := action.(clienttesting.DeleteCollectionAction)
		kinds := map[string]string{"pods": "Pod", "nodes": "Node", "ingresses": "Ingress", "endpointslices": "EndpointSlice"}
		gvr := action.GetResource()
		list, err := tracker.List(gvr, gvr.GroupVersion().WithKind(kinds[gvr.Resource]), action.GetNamespace())
		if err != nil {
			return true, nil, err
		}
		return true, nil, apimeta.EachListItem(list, func(o runtime.Object) error {
			object, err := apimeta.Accessor(o)
			if err != nil || !collection.GetListRestrictions().Labels.Matches(labels.Set(object.GetLabels())) {
				return err
			}
			return tracker.Delete(gvr, object.GetNamespace(), object.GetName())
		})
	})
}

func TestCleanDeletesOnlyBenchmarkObjects(t *testing.T) {
	client := fake.NewClientset()
	withCollections(client)
	for n := range 3 {
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), newNamespace(n), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().Nodes().Create(t.Context(), newNode(n), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		service, pod := n*servicesOfANamespace, newPod(n*servicesOfANamespace, 0, n)
		if _, err := client.CoreV1().Pods(namespaceOf(service)).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"shop", "simulate-mine"} {
		meta := metav1.ObjectMeta{Name: name}
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Clean(t.Context(), client, silent{}); err != nil {
		t.Fatal(err)
	}
	var left []string
	namespaces, _ := client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	for _, n := range namespaces.Items {
		left = append(left, n.Name)
	}
	nodes, _ := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	for _, n := range nodes.Items {
		left = append(left, n.Name)
	}
	pods, _ := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if fmt.Sprint(left) != "[shop simulate-mine shop simulate-mine]" || len(pods.Items) > 0 {
		t.Errorf("left are %v and %d pods", left, len(pods.Items))
	}
}

// silent is a Progress without output.
type silent struct{}

func (silent) Begin(string) (func(string), func(error)) { return func(string) {}, func(error) {} }
func (silent) Note(string)                              {}

func TestRunRequiresEmbeddedCluster(t *testing.T) {
	_, err := Run(t.Context(), &cluster.Cluster{Name: "lab", Provider: "kind"}, Options{})
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) {
		t.Errorf("got %v", err)
	}
}
