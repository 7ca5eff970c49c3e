package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// waitWoken waits until the API server knows what is the case now of nodes that
// were stopped, and started at the times that news tells. At first it has only what was true
// when they stopped: nodes are Ready, pods are Ready, and none of it is so.
func waitWoken(ctx context.Context, kubeconfig string, news map[string]time.Time) error {
	client, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	return poll(ctx, func() error { return stale(ctx, client, news) })
}

// stale returns an error that says which of the API server's knowledge is from
// before a node was started.
func stale(ctx context.Context, client *kube.Client, news map[string]time.Time) error {
	leases, err := client.Clientset().CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	if name := silentNode(leases.Items, news); name != "" {
		return fmt.Errorf("node %s: its kubelet has not reported since it was started", name)
	}
	pods, err := client.Clientset().CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		if since, ok := news[p.Spec.NodeName]; ok && isStale(p, since) {
			return fmt.Errorf("pod %s/%s: has not been started again", p.Namespace, p.Name)
		}
	}
	return nil
}

// silentNode returns a node whose kubelet has not renewed its Lease since it
// was started
// (https://kubernetes.io/docs/concepts/architecture/leases/#node-heart-beats).
func silentNode(leases []coordinationv1.Lease, news map[string]time.Time) string {
	for name, since := range news {
		renewed := slices.ContainsFunc(leases, func(l coordinationv1.Lease) bool {
			return l.Name == name && l.Spec.RenewTime != nil && l.Spec.RenewTime.After(since)
		})
		if !renewed {
			return name
		}
	}
	return ""
}

// isStale tells whether a pod is said to be Ready by containers that were
// started before. A pod that is not Ready will not be taken for one that is.
func isStale(p *corev1.Pod, since time.Time) bool {
	ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	return ready && slices.ContainsFunc(p.Status.ContainerStatuses, func(cs corev1.ContainerStatus) bool {
		// The API keeps whole seconds only.
		return cs.State.Running != nil && cs.State.Running.StartedAt.Time.Before(since.Truncate(time.Second))
	})
}

// poll calls look until it returns nil. When ctx ends by a deadline, the error
// is what look said last, without what came of ctx having ended.
func poll(ctx context.Context, look func() error) error {
	var last error
	for {
		err := look()
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
			return fmt.Errorf("waited too long: %w", &lateError{last})
		}
	}
}

// lateError is what was last the matter when time was up.
type lateError struct{ last error }

func (e *lateError) Error() string { return e.last.Error() }

// Unwrap lets callers see that it was a matter of time.
func (e *lateError) Unwrap() []error { return []error{e.last, context.DeadlineExceeded} }
