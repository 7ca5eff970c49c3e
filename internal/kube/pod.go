package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
)

// podReady follows https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
func podReady(p *corev1.Pod) verdict {
	if p.Status.Phase == corev1.PodSucceeded {
		return isReady()
	}
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue {
			return isReady()
		}
	}
	v := lacks("%s", PodTrouble(p))
	v.hopeless = hopelessPod([]corev1.Pod{*p})
	return v
}

// PodTrouble returns a short reason why a pod is not Ready, or "".
func PodTrouble(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		return "is being deleted"
	}
	for _, cond := range p.Status.Conditions {
		switch {
		case cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue:
			return ""
		case cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse:
			return "cannot be scheduled: " + cond.Message
		}
	}
	for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if text := containerTrouble(cs); text != "" {
			return text
		}
	}
	switch {
	case p.Status.Phase == corev1.PodSucceeded:
		return ""
	case p.Status.Reason != "":
		return fmt.Sprintf("is %s: %s", p.Status.Phase, p.Status.Reason)
	case p.Status.Phase == corev1.PodRunning:
		return "runs, and its readiness probe does not pass"
	}
	return "is " + string(p.Status.Phase)
}

func containerTrouble(cs corev1.ContainerStatus) string {
	name := "container " + cs.Name
	switch {
	case cs.State.Waiting != nil && cs.State.Waiting.Reason == "ContainerCreating":
		return name + " is being created"
	case cs.State.Waiting != nil && cs.State.Waiting.Reason == "PodInitializing":
		return ""
	case cs.State.Waiting != nil:
		text := fmt.Sprintf("%s (image %s): %s", name, cs.Image, cs.State.Waiting.Reason)
		if last := cs.LastTerminationState.Terminated; last != nil {
			return fmt.Sprintf("%s, exit code %d, %d restarts", text, last.ExitCode, cs.RestartCount)
		}
		return text
	case cs.State.Terminated != nil && cs.State.Terminated.ExitCode != 0:
		return fmt.Sprintf("%s ended with exit code %d (%s)", name, cs.State.Terminated.ExitCode, cs.State.Terminated.Reason)
	case cs.State.Running != nil && !cs.Ready && cs.RestartCount > 0:
		return fmt.Sprintf("%s runs and is not ready, %d restarts", name, cs.RestartCount)
	}
	return ""
}

// maxTroubles is the maximum number of pods in an error. Their reasons are usually the same.
const maxTroubles = 2

// troubles joins the reasons why pods are not Ready.
func troubles(pods []corev1.Pod) string {
	var lines []string
	more := 0
	for i := range pods {
		text := PodTrouble(&pods[i])
		switch {
		case text == "":
		case len(lines) == maxTroubles:
			more++
		default:
			lines = append(lines, "pod "+pods[i].Name+" "+text)
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("%d more pods not ready", more))
	}
	return strings.Join(lines, ", ")
}

// hopelessReasons are waiting reasons that require a change of the manifest.
var hopelessReasons = []string{"InvalidImageName", "ErrImageNeverPull"}

func hopelessPod(pods []corev1.Pod) error {
	for _, p := range pods {
		for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if w := cs.State.Waiting; w != nil && slices.Contains(hopelessReasons, w.Reason) {
				return fmt.Errorf("waiting cannot help: %s", w.Reason)
			}
		}
	}
	return nil
}

// lastWarning returns the newest warning Event of an object or its pods, in parentheses. The names of a workload's pods start with
// the workload's name.
func (c *Client) lastWarning(ctx context.Context, o *unstructured.Unstructured) string {
	list, err := c.clientset.CoreV1().Events(namespaceOf(o)).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("type", corev1.EventTypeWarning).String(),
	})
	if err != nil {
		return ""
	}
	about := slices.DeleteFunc(list.Items, func(e corev1.Event) bool {
		name := e.InvolvedObject.Name
		return e.Type != corev1.EventTypeWarning || name != o.GetName() && !strings.HasPrefix(name, o.GetName()+"-")
	})
	if len(about) == 0 {
		return ""
	}
	last := slices.MaxFunc(about, func(a, b corev1.Event) int { return cmp.Compare(eventTime(a), eventTime(b)) })
	return fmt.Sprintf(" (last warning: %s: %s)", last.Reason, strings.TrimSpace(last.Message))
}

// eventTime returns the time of an Event's last occurrence. Which field has it depends on the API that the recorder uses.
func eventTime(e corev1.Event) int64 {
	for _, t := range []metav1.Time{e.LastTimestamp, {Time: e.EventTime.Time}} {
		if !t.IsZero() {
			return t.UnixNano()
		}
	}
	return e.CreationTimestamp.UnixNano()
}

// NodesReady returns an error that lists the nodes that are missing or not Ready, with the reasons
// (https://kubernetes.io/docs/reference/node/node-status/#condition).
func (c *Client) NodesReady(ctx context.Context, nodes int) error {
	list, err := c.clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	return checkNodes(list.Items, nodes)
}

func checkNodes(items []corev1.Node, want int) error {
	if len(items) < want {
		return fmt.Errorf("%d of %d nodes have joined", len(items), want)
	}
	var notReady []string
	for _, n := range items {
		if why := whyNotReady(n); why != "" {
			notReady = append(notReady, "node "+n.Name+": "+why)
		}
	}
	if len(notReady) > 0 {
		return errors.New(strings.Join(notReady, "; "))
	}
	return nil
}

func whyNotReady(n corev1.Node) string {
	for _, cond := range n.Status.Conditions {
		if cond.Type != corev1.NodeReady {
			continue
		}
		if cond.Status == corev1.ConditionTrue {
			return ""
		}
		line, _, _ := strings.Cut(cond.Reason+": "+cond.Message, "\n")
		return line
	}
	return "the kubelet has not reported a status yet"
}

// NoReadyPodError reports that no pod can receive the request.
type NoReadyPodError struct {
	// Selector selects the pods. Trouble is the reason for one of them; it is empty if no pod matches.
	Selector, Pod, Trouble string
}

// Error implements error.
func (e *NoReadyPodError) Error() string {
	if e.Pod == "" {
		return fmt.Sprintf("no pod has the labels %s", e.Selector)
	}
	return fmt.Sprintf("pod %s: %s", e.Pod, e.Trouble)
}

// Answer is the response of a pod.
type Answer struct {
	Status int
	Body   []byte
}

// AskPod sends a GET request to the named container port of a Ready pod with the given labels, in any namespace. The request goes
// through the API server, and requires permission to get "pods/proxy"
// (https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/). An Answer of
// any status is no error. Without such a pod, the error is a *NoReadyPodError.
func (c *Client) AskPod(ctx context.Context, selector, port, path string, query url.Values, accept string) (*Answer, error) {
	pod, err := c.ReadyPod(ctx, selector)
	if err != nil {
		return nil, err
	}
	number := portNumber(pod, port)
	if number == 0 {
		return nil, fmt.Errorf("pod %s/%s: no container port %q", pod.Namespace, pod.Name, port)
	}
	request := c.clientset.CoreV1().RESTClient().Get().SetHeader("Accept", accept)
	var answer Answer
	body, err := toPod(request, pod.Namespace, pod.Name, number, path, query).Do(ctx).StatusCode(&answer.Status).Raw()
	if err != nil && len(body) == 0 {
		answer.Status, body = serverMessage(err)
	}
	if err != nil && len(body) == 0 {
		return nil, fmt.Errorf("pod %s/%s: port %d: %w", pod.Namespace, pod.Name, number, err)
	}
	answer.Body = body
	return &answer, nil
}

// PostPod sends an empty POST request to a port of a pod through the API server. An Answer of any status is no error. If the pod does
// not respond, the API server responds with 502 or 503.
func (c *Client) PostPod(ctx context.Context, namespace, pod string, port int32, path string, query url.Values) (*Answer, error) {
	request := c.clientset.CoreV1().RESTClient().Post().SetHeader("Accept", "*/*")
	var answer Answer
	body, err := toPod(request, namespace, pod, port, path, query).Do(ctx).StatusCode(&answer.Status).Raw()
	if err != nil && answer.Status == 0 {
		answer.Status, body = serverMessage(err)
	}
	if err != nil && answer.Status == 0 {
		return nil, fmt.Errorf("pod %s/%s: port %d: %w", namespace, pod, port, err)
	}
	answer.Body = body
	return &answer, nil
}

// toPod directs a request to a port of a pod, through the API server.
func toPod(r *rest.Request, namespace, pod string, port int32, path string, query url.Values) *rest.Request {
	r = r.Namespace(namespace).Resource("pods").Name(fmt.Sprintf("%s:%d", pod, port)).SubResource("proxy").Suffix(path)
	for name, values := range query {
		for _, value := range values {
			r.Param(name, value)
		}
	}
	return r
}

// serverMessage returns the status and the text body of an error response, which client-go's error contains, or zero values.
func serverMessage(err error) (status int, body []byte) {
	var refused apierrors.APIStatus
	if !errors.As(err, &refused) || refused.Status().Details == nil {
		return 0, nil
	}
	for _, cause := range refused.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeUnexpectedServerResponse {
			return int(refused.Status().Code), []byte(cause.Message)
		}
	}
	return 0, nil
}

// ReadyPod returns a Ready pod with the given labels, in any namespace, that is not being deleted. Without one, the error is a
// *NoReadyPodError.
func (c *Client) ReadyPod(ctx context.Context, selector string) (*corev1.Pod, error) {
	pods, err := c.clientset.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("pods: %w", err)
	}
	lacking := &NoReadyPodError{Selector: selector}
	for i := range pods.Items {
		pod := &pods.Items[i]
		trouble := PodTrouble(pod)
		if trouble == "" && pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning {
			return pod, nil
		}
		lacking.Pod, lacking.Trouble = pod.Namespace+"/"+pod.Name, cmp.Or(trouble, "is being deleted")
	}
	return nil, lacking
}

func portNumber(pod *corev1.Pod, name string) int32 {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name {
				return port.ContainerPort
			}
		}
	}
	return 0
}
