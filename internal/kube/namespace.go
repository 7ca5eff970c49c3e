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

// EnsureNamespace makes sure that the namespace exists, carries the labels and
// is not on its way out: one that is being deleted is waited for and made anew.
func (c *Client) EnsureNamespace(ctx context.Context, name string, labels map[string]string) error {
	got, err := c.clientset.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		if err := c.guest.respect(got, labels); err != nil {
			return err
		}
	}
	if err == nil && got.Status.Phase == corev1.NamespaceTerminating {
		if err := c.waitNamespaceGone(ctx, name); err != nil {
			return err
		}
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	want := applycore.Namespace(name).WithLabels(labels)
	_, err = c.clientset.CoreV1().Namespaces().Apply(ctx, want, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	return nil
}

// OutlastNamespace waits until a namespace is gone if it is being deleted: what is put into it until then goes with it.
func (c *Client) OutlastNamespace(ctx context.Context, name string) error {
	got, err := c.clientset.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("namespace %s: %w", name, err)
	case got.Status.Phase != corev1.NamespaceTerminating:
		return nil
	}
	return c.waitNamespaceGone(ctx, name)
}

// DeleteNamespace deletes the namespace and everything in it. A namespace that
// does not exist is no error. With wait it returns when the namespace is gone;
// that takes as long as its pods take to stop.
func (c *Client) DeleteNamespace(ctx context.Context, name string, wait bool) error {
	err := c.clientset.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	if !wait {
		return nil
	}
	return c.waitNamespaceGone(ctx, name)
}

// namespaceTimeout bounds the wait for a namespace to go: one whose pods are slow to stop takes a minute, one that something holds
// would take for ever.
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
		return false, nil // a request that fails may work the next time
	})
	switch {
	case err != nil && failed != nil && !errors.Is(failed, ctx.Err()):
		return fmt.Errorf("namespace %s: %w", name, failed)
	case err != nil:
		return fmt.Errorf("namespace %s is still there%s: %w", name, leftIn(last), err)
	}
	return nil
}

// leftIn says what a terminating namespace waits for, from its conditions
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
