package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodesReady returns an error that lists the nodes that are missing or not Ready, with the reasons
// (https://kubernetes.io/docs/reference/node/node-status/#condition).
func (c *Client) NodesReady(ctx context.Context, nodes int) error {
	list, err := c.Clientset().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
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
