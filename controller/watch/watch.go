package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// Options configure what a Watcher watches, and which functions it calls.
type Options struct {
	// Namespace is the only namespace to watch. If it is empty, all namespaces are watched.
	// IngressClasses have no namespace and are always watched.
	Namespace string
	// OnError receives every failed list or watch, with the plural resource ("ingresses"). The
	// informer retries, and keeps its objects until it succeeds. OnError must not block.
	OnError func(resource string, err error)
	// OnIngress is called after every change of an Ingress, including its status. It must not
	// block.
	OnIngress func()
}

// Watcher has the informers and their caches.
type Watcher struct {
	factory   informers.SharedInformerFactory
	synced    []cache.InformerSynced
	dirty     chan time.Time
	ingresses networkinglisters.IngressLister
	classes   networkinglisters.IngressClassLister
	services  corelisters.ServiceLister
	slices    discoverylisters.EndpointSliceLister

	references *references
}

// New creates a Watcher. Call Start to run its informers.
func New(client kubernetes.Interface, o Options) (*Watcher, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(o.Namespace), informers.WithTransform(strip))
	networking := factory.Networking().V1()
	services, slices := factory.Core().V1().Services(), factory.Discovery().V1().EndpointSlices()
	w := &Watcher{
		factory:   factory,
		dirty:     make(chan time.Time, 1),
		ingresses: networking.Ingresses().Lister(),
		classes:   networking.IngressClasses().Lister(),
		services:  services.Lister(),
		slices:    slices.Lister(),
	}
	w.references = newReferences(client, w.raise, o.OnError)
	for resource, informer := range map[string]cache.SharedIndexInformer{
		"ingresses":      networking.Ingresses().Informer(),
		"ingressclasses": networking.IngressClasses().Informer(),
		"services":       services.Informer(),
		"endpointslices": slices.Informer(),
	} {
		if err := w.attend(informer, resource, o); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// attend registers the handlers of one informer.
func (w *Watcher) attend(informer cache.SharedIndexInformer, resource string, o Options) error {
	registration, err := informer.AddEventHandler(w.handler(o.OnIngress))
	if err != nil {
		return fmt.Errorf("watch %s: %w", resource, err)
	}
	err = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if o.OnError != nil && !routine(err) {
			o.OnError(resource, err)
		}
	})
	if err != nil {
		return fmt.Errorf("watch %s: %w", resource, err)
	}
	w.synced = append(w.synced, registration.HasSynced)
	return nil
}

// handler returns functions that only signal a change. The loop then lists all objects, so no event
// can be lost or handled in the wrong order.
func (w *Watcher) handler(onIngress func()) cache.ResourceEventHandler {
	changed := func(object any) {
		w.raise()
		if _, ok := object.(*networkingv1.Ingress); ok && onIngress != nil {
			onIngress()
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: changed,
		UpdateFunc: func(before, after any) {
			if !onlyStatus(before, after) {
				changed(after)
			} else if onIngress != nil {
				onIngress()
			}
		},
		DeleteFunc: changed,
	}
}

// onlyStatus reports whether only the status changed, which changes no route.
func onlyStatus(before, after any) bool {
	a, ok := before.(*networkingv1.Ingress)
	b, ok2 := after.(*networkingv1.Ingress)
	return ok && ok2 && a.UID == b.UID &&
		equality.Semantic.DeepEqual(a.Spec, b.Spec) && equality.Semantic.DeepEqual(a.Annotations, b.Annotations)
}

// routine reports whether err is a normal end of a watch.
func routine(err error) bool {
	return errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// strip removes fields that only use memory.
func strip(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

func (w *Watcher) raise() {
	select {
	case w.dirty <- time.Now():
	default: // already raised; keep the time of the first event
	}
}

// Dirty returns a channel that delivers the time of the first change since the last receive.
func (w *Watcher) Dirty() <-chan time.Time { return w.dirty }

// Ingresses returns the lister of watched Ingresses.
func (w *Watcher) Ingresses() networkinglisters.IngressLister { return w.ingresses }

// Start runs the informers until ctx ends. Stop waits for them.
func (w *Watcher) Start(ctx context.Context) { w.factory.StartWithContext(ctx) }

// Stop waits for the informers after their context has ended. Do not call Want after Stop.
func (w *Watcher) Stop() {
	w.factory.Shutdown()
	w.references.secrets.running.Wait()
	w.references.configMaps.running.Wait()
}

// WaitForSync waits until all caches have the initial objects. It fails only if ctx ends.
func (w *Watcher) WaitForSync(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), w.synced...) {
		return fmt.Errorf("wait for the API objects: %w", context.Cause(ctx))
	}
	return nil
}

// Snapshot lists all objects. They are shared with the caches; do not change them.
func (w *Watcher) Snapshot() (s routing.Snapshot, err error) {
	if s.Ingresses, err = w.ingresses.List(labels.Everything()); err != nil {
		return s, fmt.Errorf("list ingresses: %w", err)
	}
	if s.IngressClasses, err = w.classes.List(labels.Everything()); err != nil {
		return s, fmt.Errorf("list ingressclasses: %w", err)
	}
	if s.Services, err = w.services.List(labels.Everything()); err != nil {
		return s, fmt.Errorf("list services: %w", err)
	}
	if s.EndpointSlices, err = w.slices.List(labels.Everything()); err != nil {
		return s, fmt.Errorf("list endpointslices: %w", err)
	}
	s.Secrets, s.Loading.Secrets = w.references.secrets.snapshot()
	s.ConfigMaps, s.Loading.ConfigMaps = w.references.configMaps.snapshot()
	return s, nil
}
