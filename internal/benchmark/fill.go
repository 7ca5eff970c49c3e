package benchmark

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	writers      = 12                     // concurrent requests to the API server
	pollInterval = 200 * time.Millisecond // between two checks of the progress
	nodesTimeout = 30 * time.Second       // for virtual nodes; an older cluster does not simulate them
	stallTimeout = 2 * time.Minute        // without progress
)

// fill creates all objects. It waits until each pod is Ready, each address is in an EndpointSlice, and each Ingress has an
// address in its status.
func (s *bench) fill(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	core, networking := s.client.CoreV1(), s.client.NetworkingV1()
	create := metav1.CreateOptions{}
	for _, step := range []struct {
		what string
		n    int
		do   func(ctx context.Context, n int) error
	}{
		{"Creating Services", s.Services, func(ctx context.Context, n int) error {
			_, err := core.Services(namespaceOf(n)).Create(ctx, newService(n), create)
			return err
		}},
		{"Creating Ingresses", s.Ingresses, func(ctx context.Context, n int) error {
			_, err := networking.Ingresses(namespaceOf(s.serviceOf(n))).Create(ctx, s.newIngress(n), create)
			return err
		}},
		{"Creating pods", s.Pods, func(ctx context.Context, n int) error {
			service, ordinal, node := s.place(n)
			_, err := core.Pods(namespaceOf(service)).Create(ctx, newPod(service, ordinal, node), create)
			return err
		}},
	} {
		if err := s.each(ctx, step.what, step.n, step.do); err != nil {
			return err
		}
	}
	return s.settle(ctx)
}

// prepare creates the nodes and namespaces, and waits until they accept pods.
func (s *bench) prepare(ctx context.Context) error {
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
func (s *bench) awaitNodes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, nodesTimeout)
	defer cancel()
	for {
		list, err := s.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return fmt.Errorf("nodes: %w", err)
		}
		ready := 0
		for _, node := range list.Items {
			if slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
				return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
			}) {
				ready++
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
func (s *bench) awaitAccount(ctx context.Context, namespace string) error {
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
func (s *bench) settle(ctx context.Context) (err error) {
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
func (s *bench) each(ctx context.Context, what string, n int, do func(context.Context, int) error) (err error) {
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
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := 0; i < n && within.Err() == nil; i++ {
		group.Go(func() error { return do(within, i) })
	}
	err := group.Wait()
	return cmp.Or(context.Cause(ctx), err)
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

// cleanTimeout limits the cleanup. etcd deletes a few thousand objects per second.
const cleanTimeout = 10 * time.Minute

// Clean deletes the objects of all benchmarks in a cluster, and waits for their removal.
func Clean(ctx context.Context, client kubernetes.Interface, progress Progress) (err error) {
	detail, done := progress.Begin("Deleting the benchmark objects")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	namespaces := client.CoreV1().Namespaces()
	list, err := namespaces.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("namespaces: %w", err)
	}
	// Deleted namespaces accept no new objects, so they come first.
	var errs []error
	for _, namespace := range list.Items {
		err := namespaces.Delete(ctx, namespace.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("namespace %s: delete: %w", namespace.Name, err))
		}
	}
	for _, namespace := range list.Items {
		detail("namespace " + namespace.Name)
		empty(ctx, client, namespace.Name)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for {
		list, err := namespaces.List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return fmt.Errorf("namespaces: %w", err)
		}
		if len(list.Items) == 0 {
			break
		}
		detail(fmt.Sprintf("%d namespaces left", len(list.Items)))
		if err := pause(ctx, pollInterval); err != nil {
			return fmt.Errorf("%d namespaces still exist: %w", len(list.Items), err)
		}
	}
	// The nodes come last, because they confirm the deletion of pods.
	err = client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("virtual nodes: %w", err)
	}
	return nil
}

// empty deletes the Ingresses and pods of a namespace, because the namespace controller deletes whole collections, which would exceed
// the API server's timeout. After an error, the namespace controller deletes the remaining objects.
func empty(ctx context.Context, client kubernetes.Interface, namespace string) {
	now, all := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}, metav1.ListOptions{LabelSelector: selector}
	if list, err := client.NetworkingV1().Ingresses(namespace).List(ctx, all); err == nil {
		_ = each(ctx, len(list.Items), func(ctx context.Context, n int) error {
			return gone(client.NetworkingV1().Ingresses(namespace).Delete(ctx, list.Items[n].Name, now))
		})
	}
	if list, err := client.CoreV1().Pods(namespace).List(ctx, all); err == nil {
		_ = each(ctx, len(list.Items), func(ctx context.Context, n int) error {
			return gone(client.CoreV1().Pods(namespace).Delete(ctx, list.Items[n].Name, now))
		})
	}
}

// gone returns err, or nil if err reports a missing object.
func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
