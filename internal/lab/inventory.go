package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
)

// lister lists the objects of one kind in a namespace.
type lister struct {
	apiVersion string
	list       func(ctx context.Context, c kubernetes.Interface, namespace string) (runtime.Object, error)
}

// ownable are the kinds that a lab can create. Each can be listed, so that the lab can remove its
// objects.
var ownable = map[string]lister{
	"ConfigMap": {"v1", func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.CoreV1().ConfigMaps(ns).List(ctx, metav1.ListOptions{})
	}},
	"DaemonSet": {"apps/v1", func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.AppsV1().DaemonSets(ns).List(ctx, metav1.ListOptions{})
	}},
	"Deployment": {"apps/v1", func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.AppsV1().Deployments(ns).List(ctx, metav1.ListOptions{})
	}},
	"Ingress": {"networking.k8s.io/v1", func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.NetworkingV1().Ingresses(ns).List(ctx, metav1.ListOptions{})
	}},
	"Pod": {"v1", func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
	}},
	"Secret": {"v1", func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.CoreV1().Secrets(ns).List(ctx, metav1.ListOptions{})
	}},
	"Service": {"v1", func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.CoreV1().Services(ns).List(ctx, metav1.ListOptions{})
	}},
	"StatefulSet": {"apps/v1", func(ctx context.Context, c kubernetes.Interface, ns string) (runtime.Object, error) {
		return c.AppsV1().StatefulSets(ns).List(ctx, metav1.ListOptions{})
	}},
}

func ownableKinds() []string { return slices.Sorted(maps.Keys(ownable)) }

// inventory returns the objects of ownable kinds in a namespace, without those of Kubernetes
// itself: the pods of workloads, the cluster's CA certificate, and service account tokens.
func inventory(ctx context.Context, c kubernetes.Interface, namespace string) ([]*unstructured.Unstructured, error) {
	return inventoryOf(ctx, c, namespace, ownableKinds()...)
}

// inventoryOf is inventory for some kinds. It lists them in parallel, because the tutor waits for
// it twice a second.
func inventoryOf(ctx context.Context, c kubernetes.Interface, namespace string, kinds ...string) ([]*unstructured.Unstructured, error) {
	lists, errs := make([][]*unstructured.Unstructured, len(kinds)), make([]error, len(kinds))
	var all sync.WaitGroup
	for i, kind := range kinds {
		all.Go(func() { lists[i], errs[i] = listKind(ctx, c, namespace, kind) })
	}
	all.Wait()
	return slices.Concat(lists...), errors.Join(errs...)
}

func listKind(ctx context.Context, c kubernetes.Interface, namespace, kind string) ([]*unstructured.Unstructured, error) {
	list, err := ownable[kind].list(ctx, c, namespace)
	if err != nil {
		return nil, fmt.Errorf("list %ss of namespace %s: %w", kind, namespace, err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(list)
	if err != nil {
		return nil, fmt.Errorf("list %ss of namespace %s: %w", kind, namespace, err)
	}
	// The items of a typed list have no kind.
	gvk := schema.FromAPIVersionAndKind(ownable[kind].apiVersion, kind)
	items, _ := content["items"].([]any)
	var objects []*unstructured.Unstructured
	for _, item := range items {
		fields, _ := item.(map[string]any)
		o := &unstructured.Unstructured{Object: fields}
		o.SetGroupVersionKind(gvk)
		if !isKubernetesOwn(o) {
			objects = append(objects, o)
		}
	}
	return objects, nil
}

func isKubernetesOwn(o *unstructured.Unstructured) bool {
	secretType, _, _ := unstructured.NestedString(o.Object, "type")
	return metav1.GetControllerOf(o) != nil ||
		o.GetKind() == "ConfigMap" && o.GetName() == "kube-root-ca.crt" ||
		o.GetKind() == "Secret" && secretType == string(corev1.SecretTypeServiceAccountToken)
}
