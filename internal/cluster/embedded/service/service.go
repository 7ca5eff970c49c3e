// Package service implements Services: cluster IPs and node ports forward to ready endpoints, and
// DNS names resolve (https://kubernetes.io/docs/reference/networking/virtual-ips/,
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).
//
// In a real cluster, kube-proxy writes forwarding rules into the kernel of each node. In an
// embedded cluster, the router namespace (the hub) has all cluster IPs and relays each connection
// in user space, like the old userspace mode of kube-proxy. Clients and pods can see two
// differences: An endpoint sees the hub or the node as its client, not the pod. A connection is
// accepted before the hub dials its endpoint, so an endpoint that refuses causes a reset.
//
// Read the files in this order:
//
//	service.go    Run: the informers, the DNS server and the queue of changed Services
//	plan.go       PURE: a Service and its EndpointSlices -> frontends and their endpoints
//	balancer.go   select an endpoint for each connection
//	listeners.go  open, pause and close the listeners of all frontends
//	dns.go        the DNS server; PURE: a DNS name -> records, from Services and EndpointSlices
package service

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// Config configures Run.
type Config struct {
	// Client must be able to list and watch Services and EndpointSlices, like system:kube-proxy.
	Client kubernetes.Interface
	Hub    network.Namespace // the router namespace, which has all cluster IPs
	// Nodes maps each node's name to the namespace that owns its node ports.
	Nodes         map[string]network.Namespace
	ClusterDomain string // the DNS domain of the cluster: "cluster.local"
	// Log receives problems with single Services. They do not affect other Services.
	Log func(format string, arguments ...any)
}

const (
	// settle delays an update, because a rollout changes a Service and its slices several times.
	settle = 5 * time.Millisecond
	// minRetry and maxRetry bound the backoff for a Service with problems, such as a port in use.
	minRetry = 50 * time.Millisecond
	maxRetry = 2 * time.Second
)

// queue holds the Services whose listeners need an update.
type queue = workqueue.TypedRateLimitingInterface[key]

// Run serves all Services until ctx ends. It calls ready once, when it serves every Service that
// existed at the start. It returns an error if the DNS server fails before ctx ends.
func Run(ctx context.Context, c Config, ready func()) error {
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	changed := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[key](minRetry, maxRetry))
	defer changed.ShutDown()
	objects, factory, err := watch(c.Client, changed)
	if err != nil {
		return err
	}
	dns, err := listenDNS(ctx, c, objects)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	defer context.AfterFunc(ctx, changed.ShutDown)()
	group.Go(func() error { return dns.serve(ctx) })
	group.Go(func() error {
		newListeners(c, objects, changed).run(ctx, ready)
		return nil
	})
	return group.Wait()
}

// objects caches the Services and EndpointSlices of the API.
type objects struct {
	services, slices cache.SharedIndexInformer
	synced           []cache.InformerSynced
}

// byService is the name of the index that finds EndpointSlices by Service.
const byService = "service"

// watch creates the informers, which add each changed Service to the queue. It does not start them.
func watch(client kubernetes.Interface, changed queue) (*objects, informers.SharedInformerFactory, error) {
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
	if err != nil {
		return nil, nil, fmt.Errorf("watch services: %w", err)
	}
	add := func(obj any) {
		if deleted, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = deleted.Obj
		}
		switch obj := obj.(type) {
		case *corev1.Service:
			changed.AddAfter(keyOf(obj), settle)
		case *discoveryv1.EndpointSlice:
			if k := serviceOf(obj); k.name != "" {
				changed.AddAfter(k, settle)
			}
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: add, DeleteFunc: add, UpdateFunc: func(before, after any) {
		add(before) // the Service label of a slice can change
		add(after)
	}}
	for _, informer := range []cache.SharedIndexInformer{o.services, o.slices} {
		registration, err := informer.AddEventHandler(handler)
		if err != nil {
			return nil, nil, fmt.Errorf("watch services: %w", err)
		}
		o.synced = append(o.synced, registration.HasSynced)
	}
	return o, factory, nil
}

// slim drops the fields that this package does not read, to save memory.
func slim(obj any) (any, error) {
	if object, err := meta.Accessor(obj); err == nil {
		object.SetManagedFields(nil)
		object.SetAnnotations(nil)
	}
	return obj, nil
}

// key identifies a Service.
type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

func keyOf(service *corev1.Service) key { return key{service.Namespace, service.Name} }

// serviceOf returns the Service of a slice. Its name is empty if the slice has no Service label.
func serviceOf(slice *discoveryv1.EndpointSlice) key {
	return key{slice.Namespace, slice.Labels[discoveryv1.LabelServiceName]}
}

// service returns a Service, or nil if it does not exist.
func (o *objects) service(k key) *corev1.Service {
	obj, _, err := o.services.GetIndexer().GetByKey(k.String())
	if err != nil {
		return nil
	}
	service, _ := obj.(*corev1.Service)
	return service
}

// slicesOf returns the IPv4 slices of a Service.
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

// each calls f for every Service until f returns false.
func (o *objects) each(f func(*corev1.Service) bool) {
	for _, obj := range o.services.GetIndexer().List() {
		if service, ok := obj.(*corev1.Service); ok && !f(service) {
			return
		}
	}
}
