package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
)

// EnsureNamespace creates the namespace if necessary, and sets the labels. If the namespace is being deleted, it waits for the removal.
func (c *Client) EnsureNamespace(ctx context.Context, name string, labels map[string]string) error {
	err := c.outlast(ctx, name, func(got *corev1.Namespace) error { return c.guest.respect(got, labels) })
	if err != nil {
		return err
	}
	want := applycore.Namespace(name).WithLabels(labels)
	_, err = c.clientset.CoreV1().Namespaces().Apply(ctx, want, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	return nil
}

// OutlastNamespace waits for the removal of a namespace that is being deleted, because new objects in it would be deleted, too.
func (c *Client) OutlastNamespace(ctx context.Context, name string) error {
	return c.outlast(ctx, name, func(*corev1.Namespace) error { return nil })
}

// outlast checks an existing namespace, and waits for its removal if it is being deleted.
func (c *Client) outlast(ctx context.Context, name string, check func(*corev1.Namespace) error) error {
	got, err := c.clientset.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	if err := check(got); err != nil || got.Status.Phase != corev1.NamespaceTerminating {
		return err
	}
	return c.waitNamespaceGone(ctx, name)
}

// DeleteNamespace deletes the namespace with its objects. A missing namespace is no error. With wait, it returns after the removal,
// which takes as long as the pods take to stop.
func (c *Client) DeleteNamespace(ctx context.Context, name string, wait bool) error {
	err := c.clientset.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	if wait {
		return c.waitNamespaceGone(ctx, name)
	}
	return nil
}

// namespaceTimeout limits the wait for the removal of a namespace. Pods that stop slowly take a minute; a finalizer can block forever.
const namespaceTimeout = 3 * time.Minute

func (c *Client) waitNamespaceGone(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, namespaceTimeout)
	defer cancel()
	var last *corev1.Namespace
	var failed error
	err := wait.PollUntilContextCancel(ctx, pollSlowest*c.poll, true, func(ctx context.Context) (bool, error) {
		got, err := c.clientset.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		if err == nil {
			last = got
		}
		failed = err
		return false, nil // the next request might succeed
	})
	switch {
	case err != nil && failed != nil && !errors.Is(failed, ctx.Err()):
		return fmt.Errorf("namespace %s: %w", name, failed)
	case err != nil:
		return fmt.Errorf("namespace %s still exists%s: %w", name, leftIn(last), err)
	}
	return nil
}

// leftIn returns what a terminating namespace waits for, from its conditions
// (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/namespace-v1/#NamespaceStatus).
func leftIn(ns *corev1.Namespace) string {
	if ns == nil {
		return ""
	}
	for _, cond := range ns.Status.Conditions {
		if cond.Type == corev1.NamespaceContentRemaining && cond.Status == corev1.ConditionTrue {
			return " (" + cond.Message + ")"
		}
	}
	if ns.DeletionTimestamp != nil {
		return fmt.Sprintf(" (being deleted since %s)", ns.DeletionTimestamp.Format(time.TimeOnly))
	}
	return ""
}
