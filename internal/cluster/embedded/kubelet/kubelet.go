package kubelet

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

// Config configures a node.
type Config struct {
	Name     string
	Address  netip.Addr
	PodRange netip.Prefix // a /24
	// Labels and Taints are set at registration. The API server limits a node's own labels
	// (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction).
	Labels  map[string]string
	Taints  []corev1.Taint
	Version string // the kubelet version in the Node, such as "v1.36.3"
	// Client authenticates as system:node:NAME in the group system:nodes. Its rate limits must be well
	// above client-go's defaults, because a node with 100 pods sends bursts of requests.
	Client kubernetes.Interface
	// Namespace is the node's network namespace. AddPod creates a pod's.
	Namespace network.Namespace
	AddPod    func(ctx context.Context, address netip.Addr) (network.Namespace, error)
	Images    container.Images
	Runtime   container.Runtime
	// Dir has the files and logs of the node's pods. Run removes those of an earlier supervisor.
	Dir           string
	APIPort       int32      // of the node's API on Address
	DNS           netip.Addr // of the cluster's DNS server
	ClusterDomain string
	// Log receives errors of the node; nil discards them. Errors of a pod become Events of the pod.
	Log func(format string, arguments ...any)
}

// Kubelet runs one node.
type Kubelet struct {
	config    Config
	addresses *addressPool
	machine   machine
	manifests manifests // set by Run, as is events
	events    record.EventRecorder

	mu         sync.Mutex
	workers    map[types.UID]*worker
	goroutines sync.WaitGroup // of workers
}

type manifests interface {
	Volumes(ctx context.Context, p podspec.Pod) error
	Render(ctx context.Context, p podspec.Pod, c *corev1.Container) (container.Spec, error)
}

// New returns a Kubelet that has not started. It returns an error if the Config is incomplete.
func New(c Config) (*Kubelet, error) {
	if c.Name == "" || c.Client == nil || c.Namespace == nil || c.AddPod == nil || c.Images == nil || c.Runtime == nil || c.Dir == "" {
		return nil, fmt.Errorf("node %q: name, client, network namespaces, images, runtime, and directory are required", c.Name)
	}
	pool, err := newAddressPool(c.PodRange)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", c.Name, err)
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	return &Kubelet{config: c, addresses: pool, machine: inspectMachine(), workers: map[types.UID]*worker{}}, nil
}

// Run runs the node until ctx ends. It does not stop the pods: they end with the supervisor.
func (k *Kubelet) Run(ctx context.Context) error {
	pods := filepath.Join(k.config.Dir, "pods")
	if err := os.RemoveAll(pods); err != nil {
		return fmt.Errorf("node %s: remove the pods of an earlier run: %w", k.config.Name, err)
	}
	if err := os.MkdirAll(pods, 0o755); err != nil {
		return fmt.Errorf("node %s: %w", k.config.Name, err)
	}
	stopEvents := k.recordEvents(ctx)
	defer stopEvents()

	services := informers.NewSharedInformerFactory(k.config.Client, 0)
	lister, synced := services.Core().V1().Services().Lister(), services.Core().V1().Services().Informer().HasSynced
	services.Start(ctx.Done())
	defer services.Shutdown()
	if k.manifests == nil {
		k.manifests = k.podspecNode(lister)
	}

	var node sync.WaitGroup
	node.Go(func() { k.keepNode(ctx) })
	// A container's environment lists the Services that exist when it starts, so wait for the cache
	// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
	if cache.WaitForCacheSync(ctx.Done(), synced) {
		k.watchPods(ctx)
	}
	node.Wait()
	k.goroutines.Wait()
	return nil
}

func (k *Kubelet) podspecNode(services corelisters.ServiceLister) *podspec.Node {
	return &podspec.Node{
		Client: k.config.Client, Name: k.config.Name, Address: k.config.Address, Services: services,
		HostDir: filepath.Join(k.config.Dir, "host"), DNS: k.config.DNS, ClusterDomain: k.config.ClusterDomain, Allocatable: k.machine.resources(),
	}
}

// pause waits for d. It reports whether ctx is still active.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// watchPods runs a worker for each pod that is bound to this node, until ctx ends.
func (k *Kubelet) watchPods(ctx context.Context) {
	factory := informers.NewSharedInformerFactoryWithOptions(k.config.Client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		// A node can read only its own pods
		// (https://kubernetes.io/docs/reference/access-authn-authz/node/).
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", k.config.Name).String()
	}))
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { k.handlePod(ctx, object) },
		UpdateFunc: func(before, after any) {
			// A deleted and recreated pod with the same name can arrive as an update.
			if b, a := asPod(before), asPod(after); b != nil && a != nil && b.UID != a.UID {
				k.forgetPod(b)
			}
			k.handlePod(ctx, after)
		},
		DeleteFunc: func(object any) { k.forgetPod(object) },
	})
	if err != nil {
		k.config.Log("node %s: watch pods: %v", k.config.Name, err)
		return
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	factory.Shutdown()
}

func asPod(object any) *corev1.Pod {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	pod, _ := object.(*corev1.Pod)
	return pod
}

func (k *Kubelet) handlePod(ctx context.Context, object any) {
	pod := asPod(object)
	if pod == nil || pod.Spec.NodeName != k.config.Name {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if w, ok := k.workers[pod.UID]; ok {
		w.update(pod)
		return
	}
	w := k.newWorker(ctx, pod)
	k.workers[pod.UID] = w
	k.goroutines.Go(func() {
		w.run()
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.workers, pod.UID)
	})
}

func (k *Kubelet) forgetPod(object any) {
	pod := asPod(object)
	if pod == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if w, ok := k.workers[pod.UID]; ok {
		w.remove()
	}
}

// maxPodDirName limits the pod's name in its directory name to stay below NAME_MAX (255 bytes): a
// namespace has at most 63 bytes (RFC 1123), a UID has 36, and a pod name up to 253.
const maxPodDirName = 150

// podDir returns the directory of a pod: NAMESPACE_NAME_UID, as in a kubelet's /var/log/pods.
func (k *Kubelet) podDir(pod *corev1.Pod) string {
	name := pod.Name[:min(len(pod.Name), maxPodDirName)]
	return filepath.Join(k.config.Dir, "pods", pod.Namespace+"_"+name+"_"+string(pod.UID))
}

const reasonFailed = "Failed" // of Events

// recordEvents opens k.events and returns the function that closes it.
func (k *Kubelet) recordEvents(ctx context.Context) (stop func()) {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: k.config.Client.CoreV1().Events("")})
	k.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: k.config.Name})
	return broadcaster.Shutdown
}

// nodeEvent records an Event of the node. Like a kubelet, it puts the node's name into the UID,
// which kubectl describe expects.
func (k *Kubelet) nodeEvent(reason, message string) {
	ref := &corev1.ObjectReference{Kind: "Node", Name: k.config.Name, UID: types.UID(k.config.Name)}
	k.events.Event(ref, corev1.EventTypeNormal, reason, message)
}

func (k *Kubelet) podEvent(pod *corev1.Pod, s *slot, kind, reason, format string, arguments ...any) {
	ref := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}
	if s != nil {
		ref.FieldPath = s.fieldPath()
	}
	k.events.Eventf(ref, kind, reason, format, arguments...)
}
