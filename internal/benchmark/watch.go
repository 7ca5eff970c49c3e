package benchmark

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// watcher observes the progress of the cluster.
type watcher struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change, and then replaced
	// ready has the time when a pod became Ready, listed the time when an address appeared in an EndpointSlice.
	ready     map[string]arrival
	listed    map[string]listing
	published map[string]bool // the Ingresses with an address in their status
}

type arrival struct {
	address string
	at      time.Time
}

// listing is an address in EndpointSlices. A moving address can be in two of them
// (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#duplicate-endpoints).
type listing struct {
	at     time.Time
	slices int
}

// newWatcher starts a watcher that runs until ctx ends.
func newWatcher(ctx context.Context, client kubernetes.Interface) (*watcher, error) {
	w := &watcher{changed: make(chan struct{}), ready: map[string]arrival{}, listed: map[string]listing{}, published: map[string]bool{}}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(outline),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selector }))
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().Pods().Informer(),
		factory.Discovery().V1().EndpointSlices().Informer(),
		factory.Networking().V1().Ingresses().Informer(),
	} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { w.see(nil, object) },
			UpdateFunc: func(old, object any) { w.see(old, object) },
			DeleteFunc: func(object any) {
				if last, is := object.(cache.DeletedFinalStateUnknown); is {
					object = last.Obj
				}
				w.see(object, nil)
			},
		}); err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil, fmt.Errorf("watch %s: %w", kind, context.Cause(ctx))
		}
	}
	return w, nil
}

// outline reduces an object to the fields that the watcher needs.
func outline(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		small := &corev1.Pod{ObjectMeta: identity(o.ObjectMeta), Status: corev1.PodStatus{PodIP: o.Status.PodIP}}
		for _, c := range o.Status.Conditions {
			if c.Type == corev1.PodReady {
				small.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status}}
			}
		}
		return small, nil
	case *discoveryv1.EndpointSlice:
		small := &discoveryv1.EndpointSlice{ObjectMeta: identity(o.ObjectMeta)}
		for _, e := range o.Endpoints {
			ready := discoveryv1.EndpointConditions{Ready: e.Conditions.Ready}
			small.Endpoints = append(small.Endpoints, discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: ready})
		}
		return small, nil
	case *networkingv1.Ingress:
		return &networkingv1.Ingress{ObjectMeta: identity(o.ObjectMeta), Status: o.Status}, nil
	}
	return object, nil
}

func identity(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion}
}

// see records a change. old is nil for a new object, object is nil for a deleted one.
func (w *watcher) see(old, object any) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range []any{old, object} {
		switch o := o.(type) {
		case *corev1.Pod:
			w.seePod(o, object == nil, now)
		case *networkingv1.Ingress:
			if object != nil && len(o.Status.LoadBalancer.Ingress) > 0 {
				w.published[o.Namespace+"/"+o.Name] = true
			} else {
				delete(w.published, o.Namespace+"/"+o.Name)
			}
		}
	}
	w.seeSlice(old, object, now)
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watcher) seePod(pod *corev1.Pod, gone bool, now time.Time) {
	key := pod.Namespace + "/" + pod.Name
	isReady := len(pod.Status.Conditions) > 0 && pod.Status.Conditions[0].Status == corev1.ConditionTrue
	if gone || !isReady {
		delete(w.ready, key)
		return
	}
	if _, known := w.ready[key]; !known {
		w.ready[key] = arrival{pod.Status.PodIP, now}
	}
}

// seeSlice compares the ready addresses of two versions of an EndpointSlice.
func (w *watcher) seeSlice(old, object any, now time.Time) {
	before, after := readyAddresses(old), readyAddresses(object)
	for address := range after {
		if before[address] {
			continue
		}
		l, known := w.listed[address]
		if !known {
			l.at = now
		}
		l.slices++
		w.listed[address] = l
	}
	for address := range before {
		if after[address] {
			continue
		}
		l := w.listed[address]
		if l.slices--; l.slices > 0 {
			w.listed[address] = l
		} else {
			delete(w.listed, address)
		}
	}
}

func readyAddresses(object any) map[string]bool {
	addresses := map[string]bool{}
	if slice, is := object.(*discoveryv1.EndpointSlice); is {
		for _, e := range slice.Endpoints {
			if len(e.Addresses) > 0 && ptr.Deref(e.Conditions.Ready, true) {
				addresses[e.Addresses[0]] = true
			}
		}
	}
	return addresses
}

// counts returns the numbers of Ready pods, addresses in EndpointSlices, and Ingresses with an address.
func (w *watcher) counts() (ready, listed, published int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ready), len(w.listed), len(w.published)
}

// awaitReady waits until a pod is Ready.
func (w *watcher) awaitReady(ctx context.Context, key string) (arrival, error) {
	return await(ctx, w, func() (arrival, bool) { a, is := w.ready[key]; return a, is })
}

// awaitListed waits until an address is in an EndpointSlice.
func (w *watcher) awaitListed(ctx context.Context, address string) (time.Time, error) {
	return await(ctx, w, func() (time.Time, bool) { l, is := w.listed[address]; return l.at, is })
}

// await calls found with w.mu held after each change, until found reports success.
func await[T any](ctx context.Context, w *watcher, found func() (T, bool)) (T, error) {
	for {
		w.mu.Lock()
		got, is := found()
		changed := w.changed
		w.mu.Unlock()
		if is {
			return got, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return got, context.Cause(ctx)
		}
	}
}
