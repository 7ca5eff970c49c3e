package kind

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/kube"
)

const (
	// createReadyTimeout bounds each of the waits after kind's work: for every
	// node, and for CoreDNS. A slow machine takes half a minute for both.
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

// waitNodes waits until the API server answers and all nodes are Ready.
func waitNodes(ctx context.Context, kubeconfig string, nodes int) error {
	client, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	return poll(ctx, func() error { return client.NodesReady(ctx, nodes) })
}

// waitDNS waits until CoreDNS is available.
func waitDNS(ctx context.Context, kubeconfig string) error {
	client, err := connect(kubeconfig)
	if err != nil {
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
	return client.NodesReady(ctx, nodes)
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
