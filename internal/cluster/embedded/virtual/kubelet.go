// Package virtual simulates nodes with more pods than a machine can run. Virtual pods are Ready in
// the API but have no processes.
//
// A Node object with the label ingresslab.dev/virtual=true is a virtual node; internal/benchmark
// creates them. This package is the kubelet of all virtual nodes. It renews their Leases. It assigns
// each pod an address in network.Virtual, reports the pod as running and Ready, and removes a
// deleted pod. The control plane treats such pods like all others: kube-scheduler binds them, and
// the EndpointSlice controller lists them.
//
// The hub has every address in network.Virtual. One HTTP server answers on Port for all of them,
// and returns the requested address.
//
// Read kubelet.go first, then pod.go.
package virtual

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
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
	// Port is the HTTP port of all virtual pods. It is unusual, because no cluster IP can also use it.
	Port = 10128
	// HeaderAddress is the response header with the requested address.
	HeaderAddress = "X-Virtual-Address"
)

// workers limits concurrent requests to the API server. More workers would not be faster.
const workers = 8

// Config configures Run.
type Config struct {
	// Client must be allowed to list and watch Nodes and Pods, patch the status of both, delete
	// Pods, and write Leases in kube-node-lease. It should have no rate limit.
	Client kubernetes.Interface
	// Version is the kubelet version in the node status: "v1.36.3".
	Version string
	// Listen opens the server's socket in the hub. It is the Listen method of the hub's Namespace.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Log receives errors about single objects. They do not affect other objects.
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
// exists, it only watches Nodes. It returns an error if it cannot open the virtual pods' port.
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

// watchNodes sets k.nodes to a lister of virtual nodes. It calls appeared for each virtual node.
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

// byNode is the name of the index that finds pods by node.
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

// enqueuePodsOf enqueues the pods of a new node, because they might exist before the node.
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

const (
	// leaseInterval and leaseDuration are the kubelet's defaults
	// (https://kubernetes.io/docs/concepts/architecture/nodes/#node-heartbeats).
	leaseInterval = 10 * time.Second
	leaseDuration = 40 * time.Second
	// defaultCapacity is the pod capacity of a node that does not set one. Kubernetes recommends at
	// most 110, because a real node's machine must run the pods.
	defaultCapacity = 1000
)

// node updates a node's status so that the node is Ready.
func (k *kubelet) node(ctx context.Context, name string) error {
	node, err := k.nodes.Get(name)
	if err != nil {
		return nil //nolint:nilerr // the node was deleted
	}
	if nodeReady(node) && len(node.Status.Addresses) > 0 {
		return nil
	}
	if err := k.renew(ctx, node); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"status": k.nodeStatus(node, metav1.Now())})
	if err == nil {
		_, err = k.Client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("node %s: status: %w", name, err)
	}
	return nil
}

// nodeStatus returns the status of a Ready node. It does not change an existing capacity.
func (k *kubelet) nodeStatus(node *corev1.Node, now metav1.Time) corev1.NodeStatus {
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, message string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, Reason: "VirtualNode", Message: message,
			LastHeartbeatTime: now, LastTransitionTime: now}
	}
	status := corev1.NodeStatus{
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: network.Hub.String()},
			{Type: corev1.NodeHostName, Address: node.Name},
		},
		Conditions: []corev1.NodeCondition{
			condition(corev1.NodeReady, corev1.ConditionTrue, "virtual node: its pods have no processes"),
			condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, ""),
			condition(corev1.NodeDiskPressure, corev1.ConditionFalse, ""),
			condition(corev1.NodePIDPressure, corev1.ConditionFalse, ""),
		},
		NodeInfo: corev1.NodeSystemInfo{
			KubeletVersion: k.Version, ContainerRuntimeVersion: "none://", OSImage: "virtual",
			OperatingSystem: runtime.GOOS, Architecture: runtime.GOARCH,
		},
	}
	if node.Status.Capacity.Pods().IsZero() {
		status.Capacity = corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("1000"),
			corev1.ResourceMemory: resource.MustParse("1Ti"),
			corev1.ResourcePods:   *resource.NewQuantity(defaultCapacity, resource.DecimalSI),
		}
		status.Allocatable = status.Capacity
	}
	return status
}

func nodeReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// renewLeases renews the Leases of all nodes until ctx ends, spread over the interval.
func (k *kubelet) renewLeases(ctx context.Context) {
	for {
		nodes, _ := k.nodes.List(labels.Everything()) // listing a cache cannot fail
		tick := time.Tick(leaseInterval / time.Duration(max(1, len(nodes))))
		for i := range max(1, len(nodes)) {
			select {
			case <-tick:
			case <-ctx.Done():
				return
			}
			if i < len(nodes) {
				if err := k.renew(ctx, nodes[i]); err != nil && ctx.Err() == nil {
					k.Log("virtual nodes: %v", err)
				}
			}
		}
	}
}

// renew updates the renewTime of a node's Lease.
func (k *kubelet) renew(ctx context.Context, node *corev1.Node) error {
	leases := k.Client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"renewTime": metav1.NowMicro()}})
	if err == nil {
		_, err = leases.Patch(ctx, node.Name, types.MergePatchType, body, metav1.PatchOptions{})
	}
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, newLease(node), metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("lease of node %s: %w", node.Name, err)
	}
	return nil
}

// newLease returns a Lease. Kubernetes deletes it when its node is deleted.
func newLease(node *corev1.Node) *coordinationv1.Lease {
	seconds, now := int32(leaseDuration.Seconds()), metav1.NowMicro()
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: node.Name, Namespace: corev1.NamespaceNodeLease,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &node.Name, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}
}
