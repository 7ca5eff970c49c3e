package simulate

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	var errs []error
	for _, namespace := range list.Items {
		detail("namespace " + namespace.Name)
		errs = append(errs, clean(ctx, client, namespace))
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

// clean deletes a namespace and, faster than its controller would, the most of what is in it. The namespace goes first: from
// then on nothing can be made in it.
func clean(ctx context.Context, client kubernetes.Interface, namespace corev1.Namespace) error {
	name := namespace.Name
	err := client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("namespace %s: delete: %w", name, err)
	}
	all, now := metav1.ListOptions{LabelSelector: selector}, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
	err = errors.Join(
		client.NetworkingV1().Ingresses(name).DeleteCollection(ctx, now, all),
		client.DiscoveryV1().EndpointSlices(name).DeleteCollection(ctx, now, all),
		client.CoreV1().Pods(name).DeleteCollection(ctx, now, all),
	)
	if err != nil {
		return fmt.Errorf("namespace %s: delete what is in it: %w", name, err)
	}
	return nil
}
