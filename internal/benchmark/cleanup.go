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

// cleanTimeout bounds the removal of everything; it is work for etcd, a few thousand objects a second.
const cleanTimeout = 10 * time.Minute

// Clean removes everything that simulations have made in a cluster, and returns when it is gone.
func Clean(ctx context.Context, client kubernetes.Interface, progress Progress) (err error) {
	detail, done := progress.Begin("Removing what was simulated")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	namespaces := client.CoreV1().Namespaces()
	list, err := namespaces.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("namespaces: %w", err)
	}
	// All of them first: then nothing new is made anywhere for what is deleted.
	var errs []error
	for _, namespace := range list.Items {
		if err := namespaces.Delete(ctx, namespace.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
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
		detail(fmt.Sprintf("%d namespaces are left", len(list.Items)))
		if err := pause(ctx, pollInterval); err != nil {
			return fmt.Errorf("%d namespaces are still there: %w", len(list.Items), err)
		}
	}
	// The nodes go last: they let go of the pods.
	err = client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("virtual nodes: %w", err)
	}
	return nil
}

// empty deletes the most of what is in a namespace, faster than the namespace's own controller would: that asks for whole
// collections, which take the API server longer than it allows itself. What fails is left to that controller.
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

// gone makes no error of what is not there.
func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
