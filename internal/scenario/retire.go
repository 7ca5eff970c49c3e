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

// retireTimeout bounds Retire: the garbage collector and the program in a pod take a moment, on a busy machine seconds.
const retireTimeout = time.Minute

// Retire deletes objects of one namespace, and waits until others of the same names can be made that meet nothing of them: bare pods
// have to be gone, and the pods of workloads to be on their way out, for those are no endpoints any more
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination). What is not there is retired. Each object has
// to name its namespace.
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
			return fmt.Errorf("%s was deleted and is still there: %w", left, ctx.Err())
		}
	}
}

// ownersOf returns the UIDs that the pods of workloads name as their controller: the workloads' own, and those of their ReplicaSets.
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

// remainder names something that keeps the objects from being retired; "" if nothing does.
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
