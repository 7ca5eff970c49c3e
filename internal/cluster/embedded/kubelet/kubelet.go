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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

// Config is a node.
type Config struct {
	// Name, Address and PodRange are the node's; PodRange is a /24.
	Name     string
	Address  netip.Addr
	PodRange netip.Prefix
	// Labels and Taints are given to the Node when it is registered. The API server lets a node give itself only some labels of
	// Kubernetes' own (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction).
	Labels map[string]string
	Taints []corev1.Taint
	// Version is what it reports as its kubelet's, e.g. "v1.36.3".
	Version string
	// Client has the rights of this node (user system:node:NAME, group system:nodes). Its limits on requests must be well above
	// client-go's defaults: a node with a hundred pods asks a lot at once.
	Client kubernetes.Interface
	// Namespace is the node's own network; AddPod makes a pod's.
	Namespace network.Namespace
	AddPod    func(ctx context.Context, address netip.Addr) (network.Namespace, error)
	// Images and Runtime start containers.
	Images  container.Images
	Runtime container.Runtime
	// Dir is the node's directory: pods' files and logs are below it. What an earlier supervisor left in it is removed.
	Dir string
	// APIPort is the port of the node's API on Address.
	APIPort int32
	// DNS and ClusterDomain are the cluster's.
	DNS           netip.Addr
	ClusterDomain string
	// Log hears of what goes wrong with the node itself; what goes wrong with a pod is an Event of the pod. Nil drops it.
	Log func(format string, arguments ...any)
}

// Kubelet runs one node.
type Kubelet struct {
	config    Config
	addresses *addressPool
	machine   machine
	// Both are there before the first pod is.
	manifests manifests
	events    record.EventRecorder

	mu      sync.Mutex
	workers map[types.UID]*worker
	ended   sync.WaitGroup // of workers
}

// manifests is the part of podspec.Node that pods are started with.
type manifests interface {
	Volumes(ctx context.Context, p podspec.Pod) error
	Render(ctx context.Context, p podspec.Pod, c *corev1.Container) (container.Spec, error)
}

// New returns a Kubelet that does nothing yet. The error says what is missing in the Config.
func New(c Config) (*Kubelet, error) {
	if c.Name == "" || c.Client == nil || c.Namespace == nil || c.AddPod == nil || c.Images == nil || c.Runtime == nil || c.Dir == "" {
		return nil, fmt.Errorf("node %q: its name, client, network, images, runtime and directory are all needed", c.Name)
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

// Run runs the node until ctx ends; then it returns without stopping the pods: the supervisor's end is theirs.
// The error says why the node could not even begin.
func (k *Kubelet) Run(ctx context.Context) error {
	pods := filepath.Join(k.config.Dir, "pods")
	if err := os.RemoveAll(pods); err != nil {
		return fmt.Errorf("node %s: remove what is left of its pods: %w", k.config.Name, err)
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
	// The environment of a container has the Services that exist when it starts, so these come first
	// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
	if cache.WaitForCacheSync(ctx.Done(), synced) {
		k.watchPods(ctx)
	}
	node.Wait()
	k.ended.Wait()
	return nil
}

func (k *Kubelet) podspecNode(services corelisters.ServiceLister) *podspec.Node {
	return &podspec.Node{
		Client: k.config.Client, Name: k.config.Name, Address: k.config.Address, Services: services,
		HostDir: filepath.Join(k.config.Dir, "host"), DNS: k.config.DNS, ClusterDomain: k.config.ClusterDomain, Allocatable: k.machine.resources(),
	}
}

// pause waits for d, and says whether ctx is still there then.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
