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
	// Label marks Node objects as virtual nodes; its value is "true". Nodes should carry a taint with this key as well
	// (effect NoSchedule), so that nothing gets there that does not ask for it.
	Label = "ingresslab.dev/virtual"
	// Port is where virtual pods answer HTTP requests. All share it, and no Service of the cluster can have it as its own port
	// with a virtual address, so it is one that nobody would choose.
	Port = 10128
	// HeaderAddress is the header in which an answer says the address that was reached.
	HeaderAddress = "X-Virtual-Address"
)

// workers is the number of requests to the API server at a time. More would not be faster: the API server shares the machine.
const workers = 8

// Config is what virtual nodes need.
type Config struct {
	// Client may list and watch Nodes and Pods, patch the status of both, delete Pods, and write Leases in kube-node-lease. It
	// should not limit its own rate.
	Client kubernetes.Interface
	// Version is what the nodes report as their kubelet's, e.g. "v1.36.3".
	Version string
	// Listen opens the socket of the server, such as Listen of the hub's network.Namespace.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Log hears of what went wrong with one object and does not stop the others.
	Log func(format string, arguments ...any)
}

// kubelet plays all virtual nodes.
type kubelet struct {
	Config
	addresses *addresses
	queue     workqueue.TypedRateLimitingInterface[item]
	nodes     corelisters.NodeLister
	pods      cache.Indexer
}

// item is something to look at: a node, or a pod if there is a namespace.
type item struct{ namespace, name string }

// Run plays the virtual nodes that there are and will be, until ctx ends. As long as there is none it does nothing but watch
// for the first. It returns an error if the port of the virtual pods cannot be opened, else nil.
func Run(ctx context.Context, c Config) error {
	k := &kubelet{
		Config: c, addresses: newAddresses(network.Virtual),
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[item](50*time.Millisecond, 10*time.Second)),
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
	group.Go(func() { k.beat(ctx) })
	group.Go(func() { k.serve(ctx, l) })
	<-ctx.Done()
	k.queue.ShutDown()
	group.Wait()
	return nil
}

// watchNodes will keep the list of virtual nodes, and call appeared for each.
func (k *kubelet) watchNodes(appeared func()) informers.SharedInformerFactory {
	virtual := labels.Set{Label: "true"}.String()
	factory := informers.NewSharedInformerFactoryWithOptions(k.Client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = virtual }))
	nodes := factory.Core().V1().Nodes()
	k.nodes = nodes.Lister()
	see := func(object any) {
		if node, is := object.(*corev1.Node); is {
			k.queue.Add(item{name: node.Name})
			appeared()
		}
	}
	_, _ = nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only for informers that have ended
		AddFunc:    func(object any) { see(object); k.podsOf(object) },
		UpdateFunc: func(_, object any) { see(object) },
	})
	return factory
}

// byNode is the index of pods by the node they are bound to.
const byNode = "node"

// watchPods will keep what matters of all pods that are bound to a node.
func (k *kubelet) watchPods() informers.SharedInformerFactory {
	factory := informers.NewSharedInformerFactoryWithOptions(k.Client, 0, informers.WithTransform(essence),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = "spec.nodeName!=" }))
	pods := factory.Core().V1().Pods().Informer()
	k.pods = pods.GetIndexer()
	// Both fail only for informers that have been started.
	_ = pods.AddIndexers(cache.Indexers{byNode: func(object any) ([]string, error) { return []string{object.(*corev1.Pod).Spec.NodeName}, nil }})
	see := func(object any) {
		pod := object.(*corev1.Pod)
		k.queue.Add(item{pod.Namespace, pod.Name})
	}
	_, _ = pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    see,
		UpdateFunc: func(_, object any) { see(object) },
		DeleteFunc: func(object any) {
			if last, is := object.(cache.DeletedFinalStateUnknown); is {
				object = last.Obj
			}
			if pod, is := object.(*corev1.Pod); is {
				k.addresses.free(pod.UID)
			}
		},
	})
	return factory
}

// podsOf looks again at the pods of a node that was not known before.
func (k *kubelet) podsOf(object any) {
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

// work does one thing after the other until the queue is closed. What fails is tried again, later each time.
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
