package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// controlPlane is the label of the nodes that run the control plane
// (https://kubernetes.io/docs/reference/labels-annotations-taints/#node-role-kubernetes-io-control-plane).
const controlPlane = "node-role.kubernetes.io/control-plane"

// nodeFault returns which node it happened to.
func (r *runner) nodeFault(ctx context.Context, f NodeFault) (string, error) {
	node, err := r.nodeOf(ctx, f)
	if err != nil {
		return "", err
	}
	what := "node " + node.Name
	if f.Action == "uncordon" {
		return what, r.cordon(ctx, node.Name, false)
	}
	if !node.Spec.Unschedulable {
		r.cordoned = append(r.cordoned, node.Name)
	}
	if err := r.cordon(ctx, node.Name, true); err != nil || f.Action == "cordon" {
		return what, err
	}
	return what, r.drain(ctx, node.Name)
}

// nodeOf returns the node that a fault names, one of its role, or the one that runs a pod of its Service.
func (r *runner) nodeOf(ctx context.Context, f NodeFault) (*corev1.Node, error) {
	nodes := r.env.Kube.Clientset().CoreV1().Nodes()
	name := f.Name
	if f.Service != "" {
		pods, err := r.endpointPods(ctx, f.Service, r.names.namespace)
		if err != nil {
			return nil, err
		}
		if len(pods) == 0 {
			return nil, cannot("service %s has no ready endpoint", f.Service)
		}
		slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
		name = pods[r.rand.IntN(len(pods))].Spec.NodeName
	}
	if name != "" {
		return nodes.Get(ctx, name, metav1.GetOptions{})
	}
	list, err := nodes.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	fitting := slices.DeleteFunc(list.Items, func(n corev1.Node) bool {
		_, isControlPlane := n.Labels[controlPlane]
		return isControlPlane != (f.Role == "control-plane")
	})
	if len(fitting) == 0 {
		return nil, cannot("no node has the role %s", f.Role)
	}
	slices.SortFunc(fitting, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return &fitting[r.rand.IntN(len(fitting))], nil
}

func (r *runner) cordon(ctx context.Context, node string, on bool) error {
	patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, on)
	_, err := r.env.Kube.Clientset().CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// uncordon ends the faults of nodes.
func (r *runner) uncordon(ctx context.Context) error {
	var errs []error
	for _, node := range r.cordoned {
		if err := r.cordon(ctx, node, false); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("uncordon node %s: %w", node, err))
		}
	}
	r.cordoned = nil
	return errors.Join(errs...)
}

// drain evicts the pods of a node, but for those of DaemonSets and those that no API server can delete, and waits until
// they are gone. Where a PodDisruptionBudget refuses an eviction, it is tried again
// (https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/).
func (r *runner) drain(ctx context.Context, node string) error {
	c := converge(ctx, polling{within: waitWithin, streak: 1}, func(ctx context.Context) pollResult {
		pods, err := r.env.Kube.Clientset().CoreV1().Pods(metav1.NamespaceAll).List(ctx,
			metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
		if err != nil {
			return pollResult{err: err}
		}
		var left []string
		for i := range pods.Items {
			pod := &pods.Items[i]
			if pod.Spec.NodeName != node || staysOnDrain(pod) {
				continue
			}
			left = append(left, pod.Namespace+"/"+pod.Name)
			if pod.DeletionTimestamp == nil {
				if err := r.evict(ctx, pod); err != nil {
					return pollResult{err: err}
				}
			}
		}
		if len(left) == 0 {
			return pollResult{}
		}
		return pollResult{mismatches: []probe.Mismatch{{Field: "pods on node " + node, Expected: "none", Observed: strings.Join(left, ", ")}}}
	})
	if c.held || c.err != nil {
		return c.err
	}
	return cannot("node %s is not drained: %s", node, c.mismatch.mismatches[0].Observed)
}

func (r *runner) evict(ctx context.Context, pod *corev1.Pod) error {
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err := r.env.Kube.Clientset().PolicyV1().Evictions(pod.Namespace).Evict(ctx, eviction)
	if apierrors.IsTooManyRequests(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// staysOnDrain tells the pods that a drain leaves: a DaemonSet would bring its pods back at once, and a mirror of a static
// pod is the kubelet's.
func staysOnDrain(pod *corev1.Pod) bool {
	if _, isMirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; isMirror || pod.Status.Phase == corev1.PodSucceeded ||
		pod.Status.Phase == corev1.PodFailed {
		return true
	}
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "DaemonSet"
}
