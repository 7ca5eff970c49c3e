package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func (r *runner) podFault(ctx context.Context, f PodFault) (string, error) {
	pods, err := r.candidates(ctx, f)
	if err != nil {
		return "", err
	}
	wanted := max(f.Count, 1)
	if len(pods) < wanted {
		return "", cannot("%d pods are ready; %d are needed", len(pods), wanted)
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	var names []string
	for range wanted {
		n := r.rand.IntN(len(pods))
		if err := r.inject(ctx, &pods[n], f.Action); err != nil {
			return strings.Join(names, ", "), err
		}
		names = append(names, pods[n].Name)
		pods = slices.Delete(pods, n, n+1)
	}
	return "pod " + strings.Join(names, ", "), nil
}

// candidates returns the pods from which a fault selects its targets.
func (r *runner) candidates(ctx context.Context, f PodFault) ([]corev1.Pod, error) {
	switch {
	case f.Workload != "":
		return r.podsOf(ctx, f.Workload, f.Namespace)
	case f.Service != "":
		return r.endpointPods(ctx, f.Service, r.namespace(f.Namespace))
	}
	name := f.Name
	if f.Session != "" {
		s := r.sessions[f.Session]
		if s == nil || s.pod == "" {
			return nil, cannot("no pod has served session %s yet", f.Session)
		}
		name = s.pod
	}
	pod, err := r.env.Kube.Clientset().CoreV1().Pods(r.namespace(f.Namespace)).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return []corev1.Pod{*pod}, nil
}

func (r *runner) endpointPods(ctx context.Context, service, namespace string) ([]corev1.Pod, error) {
	clientset := r.env.Kube.Clientset()
	endpoints, err := clientset.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	seen := map[string]bool{}
	for _, slice := range endpoints.Items {
		for _, endpoint := range slice.Endpoints {
			ref := endpoint.TargetRef
			if ref == nil || seen[ref.Name] || endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {
				continue
			}
			seen[ref.Name] = true
			pod, err := clientset.CoreV1().Pods(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			pods = append(pods, *pod)
		}
	}
	return pods, nil
}

func (r *runner) inject(ctx context.Context, pod *corev1.Pod, do string) error {
	pods := r.env.Kube.Clientset().CoreV1().Pods(pod.Namespace)
	switch do {
	case "delete":
		return pods.Delete(ctx, pod.Name, metav1.DeleteOptions{})
	case "kill":
		now := int64(0)
		return pods.Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	case "crash":
		return r.tell(ctx, pod, "/crash", nil, http.StatusBadGateway, http.StatusServiceUnavailable)
	}
	return r.tell(ctx, pod, "/readyz", url.Values{"ready": {"false"}}, http.StatusOK, http.StatusServiceUnavailable)
}

// tell sends a POST request to a demo workload's fault controls (docs/workloads.md) through the API
// server. accepted are the statuses that mean success. A crashed pod does not respond, which the
// API server reports as 502 or 503.
func (r *runner) tell(ctx context.Context, pod *corev1.Pod, path string, query url.Values, accepted ...int) error {
	port, err := r.portOf(ctx, pod)
	if err != nil {
		return err
	}
	answer, err := r.env.Kube.PostPod(ctx, pod.Namespace, pod.Name, port, path, query)
	if err != nil {
		return err
	}
	if !slices.Contains(accepted, answer.Status) {
		return cannot("pod %s returns %d for POST %s on port %d; it is not a demo workload (docs/workloads.md)",
			pod.Name, answer.Status, path, port)
	}
	return nil
}

// portOf returns the port that Services use for a pod, or else the first port in its manifest.
func (r *runner) portOf(ctx context.Context, pod *corev1.Pod) (int32, error) {
	list, err := r.env.Kube.Clientset().DiscoveryV1().EndpointSlices(pod.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	for _, slice := range list.Items {
		isEndpoint := slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
			return e.TargetRef != nil && e.TargetRef.Name == pod.Name
		})
		if isEndpoint && len(slice.Ports) > 0 && slice.Ports[0].Port != nil {
			return *slice.Ports[0].Port, nil
		}
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			return port.ContainerPort, nil
		}
	}
	return 0, cannot("pod %s has no known port: no Service selects it, and its manifest has none", pod.Name)
}

// controlPlane labels control plane nodes
// (https://kubernetes.io/docs/reference/labels-annotations-taints/#node-role-kubernetes-io-control-plane).
const controlPlane = "node-role.kubernetes.io/control-plane"

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

// nodeOf returns the node of a fault, which the fault selects by name, by role, or by a Service
// with a pod on it.
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

// drain evicts the pods of a node, and waits until none is left. It evicts again if a
// PodDisruptionBudget prevents an eviction
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
		return differs("pods on node "+node, "none", strings.Join(left, ", "))
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

// staysOnDrain reports whether a drain keeps a pod. It keeps completed pods, static pods of the
// kubelet, and pods of a DaemonSet, which would replace them at once.
func staysOnDrain(pod *corev1.Pod) bool {
	if _, isMirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; isMirror || pod.Status.Phase == corev1.PodSucceeded ||
		pod.Status.Phase == corev1.PodFailed {
		return true
	}
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "DaemonSet"
}
