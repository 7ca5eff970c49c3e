package kube

import (
	"context"
	"fmt"
	"net/url"
)

// PostPod sends an empty POST request to a port of a pod through the API server, as AskPod sends a GET. An Answer of any
// status is no error; the API server answers 502 or 503 itself where the pod gives no answer.
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
