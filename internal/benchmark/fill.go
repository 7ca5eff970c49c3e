package benchmark

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// writers is the number of concurrent requests to the API server.
	writers = 12
	// pollInterval is the time between two checks of the progress.
	pollInterval = 200 * time.Millisecond
	// nodesTimeout limits the wait for virtual nodes. An older cluster does not simulate them.
	nodesTimeout = 30 * time.Second
	// stallTimeout limits the time without progress.
	stallTimeout = 2 * time.Minute
)

// fill creates all objects. It waits until each pod is Ready, each address is in an EndpointSlice, and each Ingress has an
// address in its status.
func (s *simulation) fill(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	core, networking := s.client.CoreV1(), s.client.NetworkingV1()
	create := metav1.CreateOptions{}
	err := s.each(ctx, "Creating Services", s.Services, func(ctx context.Context, n int) error {
		_, err := core.Services(namespaceOf(n)).Create(ctx, newService(n), create)
		return err
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, "Creating Ingresses", s.Ingresses, func(ctx context.Context, n int) error {
		_, err := networking.Ingresses(namespaceOf(s.serviceOf(n))).Create(ctx, s.newIngress(n), create)
		return err
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, "Creating pods", s.Pods, func(ctx context.Context, n int) error {
		service, ordinal, node := s.place(n)
		_, err := core.Pods(namespaceOf(service)).Create(ctx, newPod(service, ordinal, node), create)
		return err
	})
	if err != nil {
		return err
	}
	return s.settle(ctx)
}

// prepare creates the nodes and namespaces, and waits until they accept pods.
func (s *simulation) prepare(ctx context.Context) error {
	err := s.each(ctx, "Creating virtual nodes", s.nodes(), func(ctx context.Context, n int) error {
		_, err := s.client.CoreV1().Nodes().Create(ctx, newNode(n), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	if err := s.awaitNodes(ctx); err != nil {
		return err
	}
	return s.each(ctx, "Creating namespaces", s.namespaces(), func(ctx context.Context, n int) error {
		if _, err := s.client.CoreV1().Namespaces().Create(ctx, newNamespace(n), metav1.CreateOptions{}); err != nil {
			return err
		}
		return s.awaitAccount(ctx, namespaceName(n))
	})
}

// awaitNodes waits until the virtual nodes are Ready.
func (s *simulation) awaitNodes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, nodesTimeout)
	defer cancel()
	for {
		list, err := s.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return fmt.Errorf("nodes: %w", err)
		}
		ready := 0
		for _, node := range list.Items {
			for _, c := range node.Status.Conditions {
				if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		if ready == s.nodes() {
			return nil
		}
		if err := pause(ctx, pollInterval); err != nil {
			return fmt.Errorf("%d of %d virtual nodes are Ready: %w; if the cluster is old, run `ingresslab down` first", ready, s.nodes(), err)
		}
	}
}

// awaitAccount waits for a namespace's service account, which pods require.
func (s *simulation) awaitAccount(ctx context.Context, namespace string) error {
	for {
		_, err := s.client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return err
		}
		if err := pause(ctx, pollInterval); err != nil {
			return fmt.Errorf("service account default: %w", err)
		}
	}
}

// settle waits until the control plane and the controller have caught up.
func (s *simulation) settle(ctx context.Context) (err error) {
	detail, done := s.Progress.Begin("Waiting for endpoints and statuses")
	defer func() { done(err) }()
	best, since := -1, time.Now()
	for {
		ready, listed, published := s.watcher.counts()
		detail(fmt.Sprintf("%d pods Ready, %d endpoints, %d statuses", ready, listed, published))
		if ready == s.Pods && listed == s.Pods && published == s.Ingresses {
			return nil
		}
		if sum := ready + listed + published; sum > best {
			best, since = sum, time.Now()
		}
		if time.Since(since) > stallTimeout {
			return fmt.Errorf("no progress for %s: %d of %d pods are Ready, %d are in EndpointSlices, %d of %d Ingresses have an address",
				stallTimeout, ready, s.Pods, listed, published, s.Ingresses)
		}
		if err := pause(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// each calls the function each, and shows the progress.
func (s *simulation) each(ctx context.Context, what string, n int, do func(context.Context, int) error) (err error) {
	detail, done := s.Progress.Begin(fmt.Sprintf("%s: %d", what, n))
	defer func() { done(err) }()
	var finished atomic.Int64
	return each(ctx, n, func(ctx context.Context, i int) error {
		if err := do(ctx, i); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if count := finished.Add(1); count%100 == 0 {
			detail(fmt.Sprintf("%d done", count))
		}
		return nil
	})
}

// each calls do for 0 to n-1 concurrently, and stops after the first error.
func each(ctx context.Context, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					cancel(err) // the first one counts
					return
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
