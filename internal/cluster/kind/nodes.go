package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/kind/pkg/exec"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

func (p *provider) ImageNodes(_ context.Context, name string) ([]cluster.ImageNode, error) {
	list, err := kindLibrary().ListInternalNodes(name)
	if err != nil {
		return nil, fmt.Errorf("nodes of cluster %q: %w", name, err)
	}
	var found []cluster.ImageNode
	for _, n := range list {
		found = append(found, imageNode{n})
	}
	return found, nil
}

type imageNode struct{ node nodes.Node }

func (n imageNode) Name() string { return n.node.String() }

func (n imageNode) Images(ctx context.Context) (map[string]string, error) {
	out, err := exec.Output(n.node.CommandContext(ctx, "crictl", "images", "--output", "json"))
	var images map[string]string
	if err == nil {
		images, err = parseImages(out)
	}
	if err != nil {
		return nil, fmt.Errorf("images of node %s: %w", n.Name(), lastLine(ctx, err))
	}
	return images, nil
}

// parseImages reads the output of crictl. It removes the registry and "library/" from names.
func parseImages(out []byte) (map[string]string, error) {
	var list struct {
		Images []struct {
			ID       string   `json:"id"`
			RepoTags []string `json:"repoTags"`
		} `json:"images"`
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, err
	}
	images := map[string]string{}
	for _, i := range list.Images {
		for _, tag := range i.RepoTags {
			_, path, found := strings.Cut(tag, "/")
			if !found {
				path = tag
			}
			images[strings.TrimPrefix(path, "library/")] = i.ID
		}
	}
	return images, nil
}

func (n imageNode) Import(ctx context.Context, archive io.Reader) error {
	if err := nodeutils.LoadImageArchive(boundNode{n.node, ctx}, archive); err != nil {
		return fmt.Errorf("load images into node %s: %w", n.Name(), lastLine(ctx, err))
	}
	return nil
}

// lastLine returns the last line of a command's output as an error, because containerd's tools
// print warnings first. If ctx killed the command, lastLine returns the cause of ctx.
func lastLine(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if re := exec.RunErrorForError(err); re != nil {
		if output := lines(strings.TrimSpace(string(re.Output))); len(output) > 0 {
			return errors.New(strings.TrimSpace(output[len(output)-1]))
		}
	}
	return err
}

// boundNode is a node for functions of kind that take no context. ctx ends its commands.
type boundNode struct {
	nodes.Node
	ctx context.Context
}

// Command implements nodes.Node.
func (n boundNode) Command(command string, args ...string) exec.Cmd {
	return n.CommandContext(n.ctx, command, args...)
}

// Logs returns when ctx ends. Even then, kind continues to collect logs until the program exits.
func (p *provider) Logs(ctx context.Context, name, dir string) error {
	if _, err := p.Existing(ctx, name); err != nil {
		return err
	}
	finished := make(chan error, 1)
	go func() { finished <- kindLibrary().CollectLogs(name, dir) }()
	select {
	case err := <-finished:
		if err != nil {
			return fmt.Errorf("logs of cluster %q are incomplete: %w", name, err)
		}
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), fmt.Errorf("logs of cluster %q: %s is incomplete", name, dir))
	}
}

const (
	// createReadyTimeout limits the waits for nodes and for CoreDNS. Slow machines need 30 s each.
	createReadyTimeout = 4 * time.Minute
	// reuseReadyTimeout limits the wait for an existing cluster, whose pods all restart at once.
	reuseReadyTimeout = 90 * time.Second
	readyPoll         = 150 * time.Millisecond // the poll interval
)

// connect returns a client for the cluster of a kubeconfig file.
func connect(kubeconfig string) (*kube.Client, error) {
	cfg, err := cluster.LoadConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	return kube.New(cfg)
}

// waitNodes waits until the API server responds and all nodes are Ready.
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
	coreDNS := &unstructured.Unstructured{}
	coreDNS.SetAPIVersion("apps/v1")
	coreDNS.SetKind("Deployment")
	coreDNS.SetNamespace("kube-system")
	coreDNS.SetName("coredns")
	return client.WaitReady(ctx, coreDNS)
}

// waitRestarted waits until each node reports a new status. The one from before the start is Ready.
func waitRestarted(ctx context.Context, kubeconfig string, started map[string]time.Time) error {
	client, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	return poll(ctx, func() error { return checkStale(ctx, client, started) })
}

// checkStale returns an error if a status is older than the start of its node.
func checkStale(ctx context.Context, client *kube.Client, started map[string]time.Time) error {
	leases, err := client.Clientset().CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	if name := silentNode(leases.Items, started); name != "" {
		return fmt.Errorf("node %s: the kubelet has not reported since the node started", name)
	}
	pods, err := client.Clientset().CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		if since, ok := started[p.Spec.NodeName]; ok && isStale(p, since) {
			return fmt.Errorf("pod %s/%s has not restarted yet", p.Namespace, p.Name)
		}
	}
	return nil
}

// silentNode returns the name of a node that has not renewed its Lease since it started
// (https://kubernetes.io/docs/concepts/architecture/leases/#node-heart-beats).
func silentNode(leases []coordinationv1.Lease, started map[string]time.Time) string {
	for name, since := range started {
		renewed := slices.ContainsFunc(leases, func(l coordinationv1.Lease) bool {
			return l.Name == name && l.Spec.RenewTime != nil && l.Spec.RenewTime.After(since)
		})
		if !renewed {
			return name
		}
	}
	return ""
}

// isStale reports whether a pod is Ready only because of containers that started before since.
func isStale(p *corev1.Pod, since time.Time) bool {
	ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	return ready && slices.ContainsFunc(p.Status.ContainerStatuses, func(cs corev1.ContainerStatus) bool {
		// The API stores whole seconds.
		return cs.State.Running != nil && cs.State.Running.StartedAt.Time.Before(since.Truncate(time.Second))
	})
}

// poll calls check until it returns nil. If ctx ends first, poll returns check's last error.
func poll(ctx context.Context, check func() error) error {
	var last error
	for {
		err := check()
		switch {
		case err == nil:
			return nil
		case ctx.Err() == nil || last == nil:
			last = err
		}
		select {
		case <-time.After(readyPoll):
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return context.Cause(ctx)
			}
			return fmt.Errorf("timed out: %w", &lateError{last})
		}
	}
}

// lateError is check's last error before a deadline. It also matches context.DeadlineExceeded.
type lateError struct{ last error }

func (e *lateError) Error() string { return e.last.Error() }

func (e *lateError) Unwrap() []error { return []error{e.last, context.DeadlineExceeded} }
