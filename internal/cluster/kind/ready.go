package kind

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/kube"
)

const (
	// createReadyTimeout bounds the time from the end of kind's work until
	// every node and CoreDNS are ready. A slow machine takes half a minute.
	createReadyTimeout = 4 * time.Minute
	// reuseReadyTimeout bounds it for a cluster that exists; after a restart of
	// the engine everything in it starts again at once.
	reuseReadyTimeout = 90 * time.Second
	// aliveTimeout bounds one question to an API server on this machine.
	aliveTimeout = 5 * time.Second
	// readyPoll is how often nodes are looked at while waiting for them.
	readyPoll = 150 * time.Millisecond
)

// restConfig reads a kubeconfig file.
func restConfig(kubeconfig string) (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	return cfg, nil
}

// connect returns a client for the cluster that a kubeconfig file names.
func connect(kubeconfig string) (*kube.Client, error) {
	cfg, err := restConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	return kube.New(cfg)
}

// waitReady waits until the API server answers, all nodes are Ready and
// CoreDNS is available.
func waitReady(ctx context.Context, kubeconfig string, nodes int) error {
	client, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	if err := poll(ctx, func() error { return nodesReady(ctx, client, nodes) }); err != nil {
		return err
	}
	return client.WaitReady(ctx, coreDNS())
}

// alive asks once whether the API server answers and all nodes are Ready.
func alive(ctx context.Context, kubeconfig string, nodes int) error {
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	client, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	return nodesReady(ctx, client, nodes)
}

// nodesReady returns an error that says which nodes are missing or not Ready,
// and why (https://kubernetes.io/docs/reference/node/node-status/#condition).
func nodesReady(ctx context.Context, client *kube.Client, nodes int) error {
	list, err := client.Clientset().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
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
		return firstLine(cond.Reason + ": " + cond.Message)
	}
	return "its kubelet has not reported yet"
}

// coreDNS is the Deployment without which no name resolves in the cluster.
func coreDNS() *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("apps/v1")
	o.SetKind("Deployment")
	o.SetNamespace("kube-system")
	o.SetName("coredns")
	return o
}
