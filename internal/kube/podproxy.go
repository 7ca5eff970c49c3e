package kube

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
	request := c.clientset.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").
		Name(fmt.Sprintf("%s:%d", pod.Name, number)).SubResource("proxy").Suffix(path).SetHeader("Accept", accept)
	for name, values := range query {
		for _, value := range values {
			request.Param(name, value)
		}
	}
	var answer Answer
	result := request.Do(ctx).StatusCode(&answer.Status)
	body, err := result.Raw()
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
	request := c.clientset.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").
		Name(fmt.Sprintf("%s:%d", pod, port)).SubResource("proxy").Suffix(path).SetHeader("Accept", "*/*")
	for name, values := range query {
		for _, value := range values {
			request.Param(name, value)
		}
	}
	var answer Answer
	body, err := request.Do(ctx).StatusCode(&answer.Status).Raw()
	if err != nil && answer.Status == 0 {
		answer.Status, body = serverMessage(err)
	}
	if err != nil && answer.Status == 0 {
		return nil, fmt.Errorf("pod %s/%s: port %d: %w", namespace, pod, port, err)
	}
	answer.Body = body
	return &answer, nil
}

// serverMessage returns the status and the text body of an error response from client-go's error, or zero values.
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
		lacking.Pod, lacking.Trouble = pod.Namespace+"/"+pod.Name, trouble
		if trouble == "" {
			lacking.Trouble = "is being deleted"
		}
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
