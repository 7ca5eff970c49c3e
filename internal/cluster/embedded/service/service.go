package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// Config says what to serve.
type Config struct {
	// Client may list and watch Services and EndpointSlices (user system:kube-proxy).
	Client kubernetes.Interface
	// Hub owns the virtual addresses.
	Hub network.Namespace
	// Nodes have the node ports; by name.
	Nodes map[string]network.Namespace
	// ClusterDomain is what names end in: "cluster.local".
	ClusterDomain string
	// Log hears of what goes wrong with one Service and does not stop the others.
	Log func(format string, arguments ...any)
}

const (
	// settle is how long the loop lets changes gather: a rollout changes Service and slices several times within moments.
	settle = 5 * time.Millisecond
	// retry is how soon an address that could not be had is tried again: its port may be somebody else's for a while.
	retry = 2 * time.Second
)

// Run keeps listeners and names as the API says until ctx ends. ready is called once, when everything that existed at the
// start is served. The error, if ctx has not ended, says why there can be no name server.
func Run(ctx context.Context, c Config, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	objects, factory, err := watch(c.Client)
	if err != nil {
		return err
	}
	changed := newDirty()
	if err := objects.announce(changed); err != nil {
		return err
	}
	names, err := listenDNS(ctx, c, objects)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	failed := make(chan error, 1)
	group.Go(func() {
		if err := names.serve(ctx); err != nil {
			failed <- err
			cancel()
		}
	})
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	defer cancel() // before Shutdown, which waits
	if err := objects.wait(ctx); err == nil {
		newListeners(c).run(ctx, objects, changed, ready)
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// objects is what the API says.
type objects struct {
	services, slices cache.SharedIndexInformer
	synced           []cache.InformerSynced
}

// byService is the index of EndpointSlices.
const byService = "service"

// watch makes the informers, and starts nothing.
func watch(client kubernetes.Interface) (*objects, informers.SharedInformerFactory, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(slim))
	o := &objects{
		services: factory.Core().V1().Services().Informer(),
		slices:   factory.Discovery().V1().EndpointSlices().Informer(),
	}
	err := o.slices.AddIndexers(cache.Indexers{byService: func(obj any) ([]string, error) {
		if slice, ok := obj.(*discoveryv1.EndpointSlice); ok {
			if key := serviceOf(slice); key.name != "" {
				return []string{key.String()}, nil
			}
		}
		return nil, nil
	}})
	return o, factory, err
}

// slim drops what takes memory and nobody here reads.
func slim(obj any) (any, error) {
	if object, err := meta.Accessor(obj); err == nil {
		object.SetManagedFields(nil)
		object.SetAnnotations(nil)
	}
	return obj, nil
}

// key names a Service.
type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

// serviceOf is the Service that a slice belongs to; without a name if it belongs to none.
func serviceOf(slice *discoveryv1.EndpointSlice) key {
	return key{slice.Namespace, slice.Labels[discoveryv1.LabelServiceName]}
}

// announce reports every change of a Service or of its slices.
func (o *objects) announce(changed *dirty) error {
	tell := func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		switch obj := obj.(type) {
		case *corev1.Service:
			changed.add(key{obj.Namespace, obj.Name})
		case *discoveryv1.EndpointSlice:
			changed.add(serviceOf(obj))
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    tell,
		DeleteFunc: tell,
		UpdateFunc: func(before, after any) {
			tell(before) // a slice may have changed hands
			tell(after)
		},
	}
	for _, informer := range []cache.SharedIndexInformer{o.services, o.slices} {
		registration, err := informer.AddEventHandler(handler)
		if err != nil {
			return fmt.Errorf("watch services: %w", err)
		}
		o.synced = append(o.synced, registration.HasSynced)
	}
	return nil
}

// wait returns when everything that exists was announced.
func (o *objects) wait(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), o.synced...) {
		return errors.New("stopped")
	}
	return nil
}

// service returns nil if there is none.
func (o *objects) service(k key) *corev1.Service {
	obj, _, err := o.services.GetIndexer().GetByKey(k.String())
	if err != nil {
		return nil
	}
	service, _ := obj.(*corev1.Service)
	return service
}

// slicesOf returns a Service's IPv4 slices.
func (o *objects) slicesOf(k key) []*discoveryv1.EndpointSlice {
	found, err := o.slices.GetIndexer().ByIndex(byService, k.String())
	if err != nil {
		return nil
	}
	var slices []*discoveryv1.EndpointSlice
	for _, obj := range found {
		if slice, ok := obj.(*discoveryv1.EndpointSlice); ok && slice.AddressType == discoveryv1.AddressTypeIPv4 {
			slices = append(slices, slice)
		}
	}
	return slices
}

// each calls f for every Service until it returns false.
func (o *objects) each(f func(*corev1.Service) bool) {
	for _, obj := range o.services.GetIndexer().List() {
		if service, ok := obj.(*corev1.Service); ok && !f(service) {
			return
		}
	}
}
