package scenario_test

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// TestRetireWaitsForPodsToLeave deletes a Deployment whose pod a garbage collector comes to or not,
// beside another one's pod.
func TestRetireWaitsForPodsToLeave(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]bool{"the pod terminates": true, "the pod does not terminate": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := fakecluster.New(t)
			deployment := deploymentWithPods(t, c, leaves)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err := scenario.Retire(ctx, c, deployment)
			if leaves && err != nil ||
				!leaves && (err == nil || !strings.Contains(err.Error(), "pod shop/web-1-a still exists after its deletion")) {
				t.Error(err)
			}
			if got := c.Objects(); len(got) != 0 {
				t.Errorf("%v was not deleted", got)
			}
			if err := scenario.Retire(t.Context(), c, deployment); err != nil {
				t.Errorf("nothing is there, and: %v", err)
			}
		})
	}
}

func deploymentWithPods(t *testing.T, c *fakecluster.Cluster, leaving bool) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "shop"},
	}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.EnsureNamespace(t.Context(), "shop", nil))
	must(c.Apply(t.Context(), o))
	deployment, err := c.Get(t.Context(), o)
	must(err)
	isOwner := true
	owned := func(name string, by types.UID) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), OwnerReferences: []metav1.OwnerReference{{UID: by,
			Controller: &isOwner}}}
	}
	_, err = c.Clientset().AppsV1().ReplicaSets("shop").Create(t.Context(), &appsv1.ReplicaSet{ObjectMeta: owned("web-1",
		deployment.GetUID())}, metav1.CreateOptions{})
	must(err)
	pod := &corev1.Pod{ObjectMeta: owned("web-1-a", "web-1")}
	if leaving {
		pod.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	}
	for _, p := range []*corev1.Pod{pod, {ObjectMeta: owned("other-1-a", "other-1")}} {
		_, err = c.Clientset().CoreV1().Pods("shop").Create(t.Context(), p, metav1.CreateOptions{})
		must(err)
	}
	return o
}
