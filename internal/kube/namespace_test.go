package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func terminating(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NamespaceStatus{
		Phase: corev1.NamespaceTerminating,
		Conditions: []corev1.NamespaceCondition{{
			Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionTrue, Message: "pods has 1 resource instances",
		}},
	}}
}

func TestEnsureNamespaceSetsLabels(t *testing.T) {
	set := fake.NewClientset()
	if err := NewFor(set, nil, nil).EnsureNamespace(t.Context(), "shop", map[string]string{"run": "1"}); err != nil {
		t.Fatal(err)
	}
	ns, err := set.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil || ns.Labels["run"] != "1" {
		t.Errorf("got %v, %v; want the label run=1", ns, err)
	}
}

func TestEnsureNamespaceWaitsForDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := fake.NewClientset(terminating("shop"))
		ended := make(chan error, 1)
		go func() { ended <- NewFor(set, nil, nil).EnsureNamespace(t.Context(), "shop", nil) }()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatal("did not wait")
		}
		if err := set.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("namespaces"), "", "shop"); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		ns, err := set.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{})
		if err != nil || ns.Status.Phase == corev1.NamespaceTerminating {
			t.Errorf("got %v, %v; want a new namespace", ns, err)
		}
	})
}

func TestOutlastNamespaceWaitsForDeletionOnly(t *testing.T) {
	there := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "stays"}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}}
	synctest.Test(t, func(t *testing.T) {
		set := fake.NewClientset(there, terminating("shop"))
		c := NewFor(set, nil, nil)
		for _, name := range []string{"stays", "nowhere"} {
			if err := c.OutlastNamespace(t.Context(), name); err != nil {
				t.Errorf("namespace %s: %v", name, err)
			}
		}
		ended := make(chan error, 1)
		go func() { ended <- c.OutlastNamespace(t.Context(), "shop") }()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatal("did not wait")
		}
		if err := set.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("namespaces"), "", "shop"); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}

func TestDeleteNamespaceReportsRemainingObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := fake.NewClientset(terminating("shop"))
		set.PrependReactor("delete", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := NewFor(set, nil, nil).DeleteNamespace(ctx, "shop", true)
		if !errors.Is(err, context.DeadlineExceeded) ||
			!strings.Contains(err.Error(), "namespace shop still exists (pods has 1 resource instances)") {
			t.Errorf("got %v", err)
		}
	})
}

func TestDeleteNamespaceIgnoresMissingNamespace(t *testing.T) {
	if err := NewFor(fake.NewClientset(), nil, nil).DeleteNamespace(t.Context(), "shop", true); err != nil {
		t.Error(err)
	}
}
