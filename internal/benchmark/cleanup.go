package benchmark

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// cleanTimeout limits the cleanup. etcd deletes a few thousand objects per second.
const cleanTimeout = 10 * time.Minute

// Clean deletes the objects of all benchmarks in a cluster, and waits for their removal.
func Clean(ctx context.Context, client kubernetes.Interface, progress Progress) (err error) {
	detail, done := progress.Begin("Deleting the benchmark objects")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	namespaces := client.CoreV1().Namespaces()
	list, err := namespaces.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("namespaces: %w", err)
	}
	// Deleted namespaces accept no new objects, so they come first.
	var errs []error
	for _, namespace := range list.Items {
		err := namespaces.Delete(ctx, namespace.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("namespace %s: delete: %w", namespace.Name, err))
		}
	}
	for _, namespace := range list.Items {
		detail("namespace " + namespace.Name)
		empty(ctx, client, namespace.Name)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for {
		list, err := namespaces.List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return fmt.Errorf("namespaces: %w", err)
		}
		if len(list.Items) == 0 {
			break
		}
		detail(fmt.Sprintf("%d namespaces left", len(list.Items)))
		if err := pause(ctx, pollInterval); err != nil {
			return fmt.Errorf("%d namespaces still exist: %w", len(list.Items), err)
		}
	}
	// The nodes come last, because they confirm the deletion of pods.
	err = client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("virtual nodes: %w", err)
	}
	return nil
}

// empty deletes the Ingresses and pods of a namespace. The namespace controller deletes whole collections, which exceed the API
// server's timeout. It deletes the objects that remain here after an error.
func empty(ctx context.Context, client kubernetes.Interface, namespace string) {
	now, all := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}, metav1.ListOptions{LabelSelector: selector}
	if list, err := client.NetworkingV1().Ingresses(namespace).List(ctx, all); err == nil {
		_ = each(ctx, len(list.Items), func(ctx context.Context, n int) error {
			return gone(client.NetworkingV1().Ingresses(namespace).Delete(ctx, list.Items[n].Name, now))
		})
	}
	if list, err := client.CoreV1().Pods(namespace).List(ctx, all); err == nil {
		_ = each(ctx, len(list.Items), func(ctx context.Context, n int) error {
			return gone(client.CoreV1().Pods(namespace).Delete(ctx, list.Items[n].Name, now))
		})
	}
}

// gone returns nil for a missing object.
func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
