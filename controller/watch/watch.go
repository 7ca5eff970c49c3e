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

// Options say what to watch and whom to tell.
type Options struct {
	// Namespace limits the view to one namespace; empty means all. IngressClasses belong to no namespace and are seen
	// either way.
	Namespace string
	// OnError is called for every failed list or watch, with the resource in the plural ("ingresses"). The informer tries
	// again by itself; until it succeeds, its objects are those of the last success. It must not block.
	OnError func(resource string, err error)
	// OnIngress is called after every change of an Ingress, those of its status included. It must not block.
	OnIngress func()
}

// Watcher holds the informers and their caches.
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

// New prepares the informers; Start runs them.
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

// attend makes one informer report its changes and its errors.
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

// handler only ever raises the signal: what changed is found out by listing, so an event can neither be lost nor be
// handled in the wrong order.
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

// onlyStatus recognizes the echo of a status write, which changes no route.
func onlyStatus(before, after any) bool {
	a, ok := before.(*networkingv1.Ingress)
	b, ok2 := after.(*networkingv1.Ingress)
	return ok && ok2 && a.UID == b.UID &&
		equality.Semantic.DeepEqual(a.Spec, b.Spec) && equality.Semantic.DeepEqual(a.Annotations, b.Annotations)
}

// routine recognizes the ends that every watch comes to.
func routine(err error) bool {
	return errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// strip removes what fills memory and is never read.
func strip(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

func (w *Watcher) raise() {
	select {
	case w.dirty <- time.Now():
	default: // already raised; the time of the first event is the one to keep
	}
}

// Dirty yields the time of the first change since the last one was taken from it.
func (w *Watcher) Dirty() <-chan time.Time { return w.dirty }

// Ingresses gives access to the Ingresses of the view.
func (w *Watcher) Ingresses() networkinglisters.IngressLister { return w.ingresses }

// Start runs the informers until ctx ends. Stop waits for their end.
func (w *Watcher) Start(ctx context.Context) { w.factory.StartWithContext(ctx) }

// Stop waits for informers whose context has ended. Want must not be called any more.
func (w *Watcher) Stop() {
	w.factory.Shutdown()
	w.references.secrets.running.Wait()
	w.references.configMaps.running.Wait()
}

// WaitForSync waits until all caches hold what the API server held at the start. The error is ctx's.
func (w *Watcher) WaitForSync(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), w.synced...) {
		return fmt.Errorf("wait for the API objects: %w", context.Cause(ctx))
	}
	return nil
}

// Snapshot lists everything. The objects are shared with the caches and must not be changed.
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
