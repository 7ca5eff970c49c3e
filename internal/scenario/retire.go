package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// retireTimeout limits Retire: garbage collection and termination can take seconds on a busy
// machine.
const retireTimeout = time.Minute

// Retire deletes objects of one namespace, and waits until new objects with the same names can
// start without interference. It waits until bare pods no longer exist, and until pods of workloads
// are terminating, because terminating pods are not endpoints
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination). It ignores
// objects that do not exist. Each object needs a namespace.
func Retire(ctx context.Context, k Kube, objects ...*unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(ctx, retireTimeout)
	defer cancel()
	var there []*unstructured.Unstructured
	for _, o := range objects {
		now, err := k.Get(ctx, o)
		switch {
		case err == nil:
			there = append(there, now)
		case !apierrors.IsNotFound(err):
			return err
		}
	}
	owners, err := ownersOf(ctx, k, there)
	if err != nil {
		return err
	}
	if err := k.Delete(ctx, there...); err != nil {
		return err
	}
	for slower := pauses(); ; {
		left, err := remainder(ctx, k, there, owners)
		if err != nil || left == "" {
			return err
		}
		if !pauseFor(ctx, slower.Step()) {
			return fmt.Errorf("%s still exists after its deletion: %w", left, ctx.Err())
		}
	}
}

// ownersOf returns the UIDs of the controllers of the workloads' pods: the workloads, and their
// ReplicaSets.
func ownersOf(ctx context.Context, k Kube, objects []*unstructured.Unstructured) (owners map[types.UID]bool, err error) {
	owners = map[types.UID]bool{}
	for _, o := range objects {
		if !hasPods(o) || o.GetKind() == "Pod" {
			continue
		}
		owners[o.GetUID()] = true
		sets, err := k.Clientset().AppsV1().ReplicaSets(o.GetNamespace()).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("replica sets of %s: %w", kube.Describe(o), err)
		}
		for _, set := range sets.Items {
			if metav1.IsControlledBy(&set, o) {
				owners[set.UID] = true
			}
		}
	}
	return owners, nil
}

// remainder returns an object that Retire has to wait for. It is "" if there is none.
func remainder(ctx context.Context, k Kube, objects []*unstructured.Unstructured, owners map[types.UID]bool) (string, error) {
	for _, o := range objects {
		now, err := k.Get(ctx, o)
		switch {
		case apierrors.IsNotFound(err), err == nil && now.GetUID() != o.GetUID():
		case err != nil:
			return "", err
		default:
			return kube.Describe(o), nil
		}
	}
	if len(owners) == 0 {
		return "", nil
	}
	pods, err := k.Clientset().CoreV1().Pods(objects[0].GetNamespace()).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("pods: %w", err)
	}
	for _, pod := range pods.Items {
		isTheirs := slices.ContainsFunc(pod.OwnerReferences, func(ref metav1.OwnerReference) bool { return owners[ref.UID] })
		if isTheirs && pod.DeletionTimestamp == nil {
			return fmt.Sprintf("pod %s/%s", pod.Namespace, pod.Name), nil
		}
	}
	return "", nil
}
