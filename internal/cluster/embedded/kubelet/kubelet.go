// Package kubelet simulates a node: it registers the Node, renews its Lease, runs the pods bound to
// it, and reports their status (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
// It simulates only the behavior that kubectl, controllers, and the scheduler see. docs/embedded.md
// lists what is missing.
package kubelet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
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
	// Client authenticates as system:node:NAME in the group system:nodes. Its rate limits must exceed
	// client-go's defaults, because a node with 100 pods sends bursts of requests.
	Client    kubernetes.Interface
	Namespace network.Namespace // the node's namespace; AddPod creates those of pods
	AddPod    func(ctx context.Context, address netip.Addr) (network.Namespace, error)
	Images    container.Images
	Runtime   container.Runtime
	// Dir contains the files and logs of the node's pods. Run removes those of an earlier supervisor.
	Dir           string
	APIPort       int32      // the port of the node's API on Address
	DNS           netip.Addr // the address of the cluster's DNS server
	ClusterDomain string
	// Log receives errors of the node, unless it is nil. Errors of a pod become Events of the pod.
	Log func(format string, arguments ...any)
}

// Kubelet runs one node.
type Kubelet struct {
	config    Config
	addresses *addressPool
	machine   machine
	manifests manifests // set by Run, like events
	events    record.EventRecorder

	mu         sync.Mutex
	workers    map[types.UID]*worker
	goroutines sync.WaitGroup // of workers
}

type manifests interface {
	Volumes(ctx context.Context, p podspec.Pod) error
	Render(ctx context.Context, p podspec.Pod, c *corev1.Container) (container.Spec, error)
}

// New returns a Kubelet. Call Run to start it. New returns an error if the Config is incomplete.
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

// Run runs the node until ctx ends. It does not stop the pods, which end with the supervisor.
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
		HostDir: filepath.Join(k.config.Dir, "host"), DNS: k.config.DNS, ClusterDomain: k.config.ClusterDomain,
		Allocatable: k.machine.resources(),
	}
}

// pause waits for d, or until ctx ends. It reports whether ctx is still active.
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

// maxPodDirName limits the pod's name in its directory name, which must stay below NAME_MAX (255
// bytes). A namespace has at most 63 bytes (RFC 1123), a UID 36, and a pod name 253.
const maxPodDirName = 150

// podDir returns the directory of a pod: NAMESPACE_NAME_UID, as in a kubelet's /var/log/pods.
func (k *Kubelet) podDir(pod *corev1.Pod) string {
	name := pod.Name[:min(len(pod.Name), maxPodDirName)]
	return filepath.Join(k.config.Dir, "pods", pod.Namespace+"_"+name+"_"+string(pod.UID))
}

const reasonFailed = "Failed" // the reason in Events about failures

// recordEvents opens k.events and returns the function that closes it.
func (k *Kubelet) recordEvents(ctx context.Context) (stop func()) {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: k.config.Client.CoreV1().Events("")})
	k.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: k.config.Name})
	return broadcaster.Shutdown
}

// nodeEvent records an Event of the node, with its name as the UID, as kubectl describe expects.
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

// NoContainerError reports that a pod or container does not exist or does not run.
type NoContainerError struct{ Message string }

func (e *NoContainerError) Error() string { return e.Message }

func noContainer(format string, arguments ...any) error {
	return &NoContainerError{fmt.Sprintf(format, arguments...)}
}

// view is the state of a pod that other goroutines can read. It never changes.
type view struct {
	namespace  network.Namespace // nil before the network exists
	containers []containerView
}

type containerView struct {
	name          string
	running       container.Container // nil unless it runs
	waiting       string              // the reason why it waits, if it has never run
	lost          string              // ID of a container of an earlier supervisor, whose log is lost
	log, previous string              // paths; empty if there is no log
}

func (w *worker) publish() {
	v := &view{namespace: w.setup.namespace}
	for _, s := range w.slots {
		c := containerView{name: s.spec.Name, running: s.running, log: s.log}
		switch {
		case s.running == nil && s.ended != nil && s.waiting != nil:
			// While a container waits for its restart, its latest run is also its previous run.
			c.previous = s.log
		case s.last != nil:
			c.previous = s.previousLog
		}
		switch {
		case s.running != nil || s.log != "":
		case s.done && s.ended != nil:
			c.lost = s.ended.ContainerID
		default:
			c.waiting = w.waitingState(s).Reason
		}
		v.containers = append(v.containers, c)
	}
	w.view.Store(v)
}

// find returns the state of a container. An empty name selects the pod's first container.
func (k *Kubelet) find(namespace, pod, name string) (containerView, error) {
	v := k.pod(namespace, pod)
	if v == nil {
		return containerView{}, noContainer("pod %q not found", pod)
	}
	for _, c := range v.containers {
		if c.name == name || name == "" {
			return c, nil
		}
	}
	return containerView{}, noContainer("container %q in pod %q is not available", name, pod)
}

// pod returns the view of a pod. If two pods have this name, it returns that of the newer one.
func (k *Kubelet) pod(namespace, name string) *view {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found *worker
	for _, w := range k.workers {
		// The name and namespace of a worker never change, so no lock is needed.
		if w.name == name && w.namespace == namespace && w.view.Load() != nil && (found == nil || found.began.Before(w.began)) {
			found = w
		}
	}
	if found == nil {
		return nil
	}
	return found.view.Load()
}

// Container returns a running container for exec and attach. The error is a *NoContainerError.
func (k *Kubelet) Container(namespace, pod, name string) (container.Container, error) {
	c, err := k.find(namespace, pod, name)
	if err != nil {
		return nil, err
	}
	if c.running == nil {
		return nil, noContainer("container not found (%q)", c.name)
	}
	return c.running, nil
}

// Log returns the path of a container's log (or of the previous run's log) and a channel that
// closes when the log is complete. The error is a *NoContainerError with a kubelet's text.
func (k *Kubelet) Log(namespace, pod, name string, previous bool) (path string, ended <-chan struct{}, err error) {
	c, err := k.find(namespace, pod, name)
	if err != nil {
		return "", nil, err
	}
	closed := make(chan struct{})
	close(closed)
	switch {
	case previous && c.previous == "":
		return "", nil, noContainer("previous terminated container %q in pod %q not found", c.name, pod)
	case previous:
		return c.previous, closed, nil
	case c.running != nil:
		return c.log, c.running.Done(), nil
	case c.log != "":
		return c.log, closed, nil
	case c.lost != "":
		return "", nil, noContainer("unable to retrieve container logs for %s", c.lost)
	}
	reason := c.waiting
	switch reason {
	case waitErrPull:
		reason = "image can't be pulled"
	case waitPullBackOff:
		reason = "trying and failing to pull image"
	}
	return "", nil, noContainer("container %q in pod %q is waiting to start: %s", c.name, pod, reason)
}

// Dial connects to a port inside a pod. If the pod does not exist, it returns a *NoContainerError.
func (k *Kubelet) Dial(ctx context.Context, namespace, pod string, port uint16) (net.Conn, error) {
	v := k.pod(namespace, pod)
	if v == nil || v.namespace == nil {
		return nil, noContainer("pod %q not found", pod)
	}
	return v.namespace.Dial(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
}
