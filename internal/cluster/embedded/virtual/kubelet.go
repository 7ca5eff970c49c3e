package virtual

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

const (
	// Label with value "true" marks a virtual node. Such a node should also have a NoSchedule taint
	// with this key, so that only pods that tolerate it are scheduled there.
	Label = "ingresslab.dev/virtual"
	// Port is the HTTP port of all virtual pods. It is unusual, because no Service with a cluster
	// IP can use the same port.
	Port = 10128
	// HeaderAddress is the response header with the requested address.
	HeaderAddress = "X-Virtual-Address"
)

// workers limits parallel requests to the API server. It shares the machine, so more are not
// faster.
const workers = 8

// Config configures Run.
type Config struct {
	// Client must be allowed to list and watch Nodes and Pods, patch the status of both, delete
	// Pods, and write Leases in kube-node-lease. It should have no rate limit.
	Client kubernetes.Interface
	// Version is the kubelet version in the node status: "v1.36.3".
	Version string
	// Listen opens the server's socket: network.Namespace.Listen of the hub.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Log receives errors of single objects. They do not affect other objects.
	Log func(format string, arguments ...any)
}

// kubelet is the kubelet of all virtual nodes.
type kubelet struct {
	Config
	addresses *addresses
	queue     workqueue.TypedRateLimitingInterface[item]
	nodes     corelisters.NodeLister
	pods      cache.Indexer
}

// item is the key of a pod, or of a node if namespace is empty.
type item struct{ namespace, name string }

// Run simulates all current and future virtual nodes until ctx ends. Until the first virtual node
// exists, it only watches Nodes. It returns an error if it cannot open the port of the virtual
// pods.
func Run(ctx context.Context, c Config) error {
	k := &kubelet{
		Config: c, addresses: newAddresses(network.Virtual),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[item](50*time.Millisecond, 10*time.Second)),
	}
	defer k.queue.ShutDown()
	first := make(chan struct{})
	nodes, pods := k.watchNodes(sync.OnceFunc(func() { close(first) })), k.watchPods()
	nodes.Start(ctx.Done())
	select {
	case <-first:
	case <-ctx.Done():
		return nil
	}
	l, err := c.Listen(ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", Port))
	if err != nil {
		return fmt.Errorf("port of the virtual pods: %w", err)
	}
	pods.Start(ctx.Done())
	pods.WaitForCacheSync(ctx.Done())
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { k.work(ctx) })
	}
	group.Go(func() { k.renewLeases(ctx) })
	group.Go(func() { k.serve(ctx, l) })
	<-ctx.Done()
	k.queue.ShutDown()
	group.Wait()
	return nil
}

// watchNodes sets k.nodes to a lister of virtual nodes. It calls appeared for each.
func (k *kubelet) watchNodes(appeared func()) informers.SharedInformerFactory {
	virtual := labels.Set{Label: "true"}.String()
	factory := informers.NewSharedInformerFactoryWithOptions(k.Client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = virtual }))
	nodes := factory.Core().V1().Nodes()
	k.nodes = nodes.Lister()
	enqueue := func(object any) {
		if node, is := object.(*corev1.Node); is {
			k.queue.Add(item{name: node.Name})
			appeared()
		}
	}
	_, _ = nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only if the informer is stopped
		AddFunc:    func(object any) { enqueue(object); k.enqueuePodsOf(object) },
		UpdateFunc: func(_, object any) { enqueue(object) },
	})
	return factory
}

// byNode is the index of pods by their node.
const byNode = "node"

// watchPods sets k.pods to a cache of all pods that are bound to a node.
func (k *kubelet) watchPods() informers.SharedInformerFactory {
	factory := informers.NewSharedInformerFactoryWithOptions(k.Client, 0, informers.WithTransform(slim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = "spec.nodeName!=" }))
	pods := factory.Core().V1().Pods().Informer()
	k.pods = pods.GetIndexer()
	// Both calls fail only if the informer is running.
	_ = pods.AddIndexers(cache.Indexers{byNode: func(object any) ([]string, error) {
		return []string{object.(*corev1.Pod).Spec.NodeName}, nil
	}})
	enqueue := func(object any) {
		pod := object.(*corev1.Pod)
		k.queue.Add(item{pod.Namespace, pod.Name})
	}
	_, _ = pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object any) { enqueue(object) },
		DeleteFunc: func(object any) {
			if deleted, is := object.(cache.DeletedFinalStateUnknown); is {
				object = deleted.Obj
			}
			if pod, is := object.(*corev1.Pod); is {
				k.addresses.release(pod.UID)
			}
		},
	})
	return factory
}

// enqueuePodsOf enqueues the pods of a new node, which might be older than the node.
func (k *kubelet) enqueuePodsOf(object any) {
	node, is := object.(*corev1.Node)
	if !is {
		return
	}
	bound, _ := k.pods.ByIndex(byNode, node.Name) // the index exists
	for _, object := range bound {
		pod := object.(*corev1.Pod)
		k.queue.Add(item{pod.Namespace, pod.Name})
	}
}

// work processes the queue until it is shut down. It retries failed items with backoff.
func (k *kubelet) work(ctx context.Context) {
	for {
		next, closed := k.queue.Get()
		if closed {
			return
		}
		var err error
		if next.namespace == "" {
			err = k.node(ctx, next.name)
		} else {
			err = k.pod(ctx, next)
		}
		if err != nil && ctx.Err() == nil {
			k.Log("virtual nodes: %v", err)
			k.queue.AddRateLimited(next)
		} else {
			k.queue.Forget(next)
		}
		k.queue.Done(next)
	}
}
