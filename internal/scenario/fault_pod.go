package scenario

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podFault returns which pods it happened to.
func (r *runner) podFault(ctx context.Context, f PodFault) (string, error) {
	pods, err := r.victims(ctx, f)
	if err != nil {
		return "", err
	}
	wanted := max(f.Count, 1)
	if len(pods) < wanted {
		return "", cannot("%d pods are ready, %d are needed", len(pods), wanted)
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	var names []string
	for range wanted {
		n := r.rand.IntN(len(pods))
		if err := r.strike(ctx, &pods[n], f.Action); err != nil {
			return strings.Join(names, ", "), err
		}
		names = append(names, pods[n].Name)
		pods = slices.Delete(pods, n, n+1)
	}
	return "pod " + strings.Join(names, ", "), nil
}

// victims returns the pods that a fault may happen to.
func (r *runner) victims(ctx context.Context, f PodFault) ([]corev1.Pod, error) {
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
			return nil, cannot("no pod has answered in session %s yet", f.Session)
		}
		name = s.pod
	}
	pod, err := r.env.Kube.Clientset().CoreV1().Pods(r.namespace(f.Namespace)).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return []corev1.Pod{*pod}, nil
}

// endpointPods returns the pods that are ready endpoints of a Service.
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

// strike does it to one pod.
func (r *runner) strike(ctx context.Context, pod *corev1.Pod, do string) error {
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

// tell asks a demo workload for one of its faults, by the controls that docs/workloads.md lists, through the API server.
// The accepted statuses are those of a pod that has obeyed: one that has crashed gives no answer, which the API server
// reports as 502 or 503.
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
		return cannot("pod %s answers %d to POST %s on port %d: it is not a demo workload (docs/workloads.md)",
			pod.Name, answer.Status, path, port)
	}
	return nil
}

// portOf returns the port at which Services reach a pod, or else the first one that it declares.
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
