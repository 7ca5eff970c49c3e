package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/image"
)

const (
	registerRetry = 100 * time.Millisecond
	statusEvery   = 5 * time.Minute // the interval between reports of an unchanged status
	imagesEvery   = 10 * time.Second
	runtimeName   = "ingresslab" // part of container IDs and of the Node
)

func (k *Kubelet) keepNode(ctx context.Context) {
	k.nodeEvent("Starting", "Starting kubelet.")
	node := k.register(ctx)
	if node == nil {
		return // ctx ended
	}
	k.nodeEvent("NodeReady", fmt.Sprintf("Node %s status is now: NodeReady", k.config.Name))
	var both sync.WaitGroup
	both.Go(func() { k.keepLease(ctx, node) })
	both.Go(func() { k.keepStatus(ctx, node.Status.Images) })
	both.Wait()
}

// keepStatus reports the status every 5 minutes. It reports it within 10 s if the images change, or
// if the node controller marked the node as not ready while the API server was down.
func (k *Kubelet) keepStatus(ctx context.Context, reported []corev1.ContainerImage) {
	for last := time.Now(); pause(ctx, imagesEvery); {
		images := k.nodeImages()
		if time.Since(last) < statusEvery && equality.Semantic.DeepEqual(images, reported) && !k.markedNotReady(ctx) {
			continue
		}
		if err := k.patchStatus(ctx); err != nil {
			k.config.Log("node %s: report status: %v", k.config.Name, err)
			continue
		}
		last, reported = time.Now(), images
	}
}

// markedNotReady reports whether the Node is not ready in the API. The node controller sets that.
func (k *Kubelet) markedNotReady(ctx context.Context) bool {
	node, err := k.config.Client.CoreV1().Nodes().Get(ctx, k.config.Name, metav1.GetOptions{ResourceVersion: "0"})
	return err == nil && slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue
	})
}

// register retries until the Node exists and is Ready. It returns nil if ctx ends first.
func (k *Kubelet) register(ctx context.Context) *corev1.Node {
	var reported string
	for {
		node, err := k.registerOnce(ctx)
		if err == nil {
			return node
		}
		if err.Error() != reported && ctx.Err() == nil {
			reported = err.Error()
			k.config.Log("node %s: register: %v", k.config.Name, err)
		}
		if !pause(ctx, registerRetry) {
			return nil
		}
	}
}

func (k *Kubelet) registerOnce(ctx context.Context) (*corev1.Node, error) {
	nodes := k.config.Client.CoreV1().Nodes()
	node, err := nodes.Create(ctx, k.node(), metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return node, err
	}
	// The Node exists from an earlier run. Update only the labels that the node owns.
	if err := k.patchNode(ctx, map[string]any{"metadata": map[string]any{"labels": k.labels()}}); err != nil {
		return nil, err
	}
	if err := k.patchStatus(ctx); err != nil {
		return nil, err
	}
	return nodes.Get(ctx, k.config.Name, metav1.GetOptions{})
}

// node returns the Node to create. It includes the status, so that the Node is Ready at once.
func (k *Kubelet) node() *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: k.config.Name, Labels: k.labels(),
			// The controller manager of an embedded cluster does not attach or detach volumes
			// (https://kubernetes.io/docs/reference/labels-annotations-taints/).
			Annotations: map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
		},
		Spec:   corev1.NodeSpec{PodCIDR: k.config.PodRange.String(), PodCIDRs: []string{k.config.PodRange.String()}, Taints: k.config.Taints},
		Status: k.nodeStatus(nil),
	}
}

func (k *Kubelet) labels() map[string]string {
	labels := map[string]string{
		corev1.LabelHostname: k.config.Name, corev1.LabelOSStable: runtime.GOOS, corev1.LabelArchStable: runtime.GOARCH,
		"beta.kubernetes.io/os": runtime.GOOS, "beta.kubernetes.io/arch": runtime.GOARCH,
	}
	maps.Copy(labels, k.config.Labels)
	return labels
}

func (k *Kubelet) patchStatus(ctx context.Context) error {
	node, err := k.config.Client.CoreV1().Nodes().Get(ctx, k.config.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return k.patchNode(ctx, map[string]any{"status": k.nodeStatus(node.Status.Conditions)}, "status")
}

func (k *Kubelet) patchNode(ctx context.Context, content map[string]any, subresources ...string) error {
	patch, err := json.Marshal(content)
	if err != nil {
		return err
	}
	nodes := k.config.Client.CoreV1().Nodes()
	_, err = nodes.Patch(ctx, k.config.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, subresources...)
	return err
}

// nodeStatus returns the status of a healthy node. Conditions that do not change keep their times.
func (k *Kubelet) nodeStatus(before []corev1.NodeCondition) corev1.NodeStatus {
	resources := k.machine.resources()
	return corev1.NodeStatus{
		Capacity: resources, Allocatable: resources,
		Conditions: k.nodeConditions(before),
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: k.config.Address.String()},
			{Type: corev1.NodeHostName, Address: k.config.Name},
		},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: k.config.APIPort}},
		NodeInfo: corev1.NodeSystemInfo{
			MachineID: k.machine.machineID, SystemUUID: k.machine.machineID, BootID: k.machine.bootID,
			KernelVersion: k.machine.kernel, OSImage: "ingresslab embedded (simulated node)",
			ContainerRuntimeVersion: runtimeName + "://" + image.Version, KubeletVersion: k.config.Version,
			OperatingSystem: runtime.GOOS, Architecture: runtime.GOARCH,
		},
		Images: k.nodeImages(),
	}
}

func (k *Kubelet) nodeConditions(before []corev1.NodeCondition) []corev1.NodeCondition {
	now := metav1.NewTime(time.Now())
	conditions := []corev1.NodeCondition{
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory",
			Message: "kubelet has sufficient memory available"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure",
			Message: "kubelet has no disk pressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID",
			Message: "kubelet has sufficient PID available"},
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
			Message: "kubelet is posting ready status"},
	}
	for i := range conditions {
		c := &conditions[i]
		c.LastHeartbeatTime, c.LastTransitionTime = now, now
		for _, b := range before {
			if b.Type == c.Type && b.Status == c.Status {
				c.LastTransitionTime = b.LastTransitionTime
			}
		}
	}
	return conditions
}

// maxPods is the maximum number of pods per node, the same as the Kubernetes kubelet's default.
const maxPods = 110

// machine describes the host. Every node of a cluster reports all resources of the host.
type machine struct {
	cpus              int
	memory, disk      int64 // bytes
	kernel            string
	machineID, bootID string
}

func inspectMachine() machine {
	return machine{
		cpus: runtime.NumCPU(), memory: memory("/proc/meminfo"), disk: diskSize("/"),
		kernel:    firstLine("/proc/sys/kernel/osrelease"),
		machineID: firstLine("/etc/machine-id"), bootID: firstLine("/proc/sys/kernel/random/boot_id"),
	}
}

func (m machine) resources() corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(m.cpus), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(m.memory, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(maxPods, resource.DecimalSI),
	}
	if m.disk > 0 {
		list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(m.disk, resource.BinarySI)
	}
	return list
}

func memory(path string) int64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemTotal: %d kB", &kib); n == 1 {
			return kib * 1024
		}
	}
	return 0
}

func firstLine(path string) string {
	text, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// maxImages is the maximum number of images in a Node, the same as a kubelet's default.
const maxImages = 50

// imageLister returns a map from image references to image IDs. *container.Store implements it.
type imageLister interface {
	Images() (map[string]string, error)
}

// nodeImages returns the stored images. It ignores errors, because starting a pod reports them.
func (k *Kubelet) nodeImages() []corev1.ContainerImage {
	store, ok := k.config.Images.(imageLister)
	if !ok {
		return nil
	}
	references, err := store.Images()
	if err != nil {
		return nil
	}
	names := map[string][]string{}
	for _, ref := range slices.Sorted(maps.Keys(references)) {
		names[references[ref]] = append(names[references[ref]], ref)
	}
	var images []corev1.ContainerImage
	for _, id := range slices.Sorted(maps.Keys(names)) {
		images = append(images, corev1.ContainerImage{Names: names[id]})
	}
	slices.SortFunc(images, func(a, b corev1.ContainerImage) int { return slices.Compare(a.Names, b.Names) })
	return images[:min(len(images), maxImages)]
}

// A node that does not renew its Lease for 40 s counts as unhealthy
// (https://kubernetes.io/docs/concepts/architecture/nodes/#node-heartbeats).
const (
	leaseSeconds = 40
	leaseEvery   = leaseSeconds * time.Second / 4
	leaseRetry   = 200 * time.Millisecond
)

func (k *Kubelet) keepLease(ctx context.Context, node *corev1.Node) {
	var held *coordinationv1.Lease
	for {
		lease, err := k.renew(ctx, node, held)
		wait := leaseEvery
		if err != nil {
			// Right after the API server starts, the namespace of the Leases does not exist yet.
			wait = leaseRetry
			if held != nil {
				k.config.Log("node %s: renew lease: %v", k.config.Name, err)
				wait = time.Second
			}
			lease = nil // the client returns an empty Lease with an error
		}
		held = lease
		if !pause(ctx, wait) {
			return
		}
	}
}

func (k *Kubelet) renew(ctx context.Context, node *corev1.Node, held *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	leases := k.config.Client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	if held == nil {
		found, err := leases.Get(ctx, k.config.Name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		if err != nil {
			return leases.Create(ctx, k.lease(node), metav1.CreateOptions{})
		}
		held = found
	}
	next := held.DeepCopy()
	next.Spec = k.lease(node).Spec
	// After a conflict, the next call reads the Lease again.
	return leases.Update(ctx, next, metav1.UpdateOptions{})
}

func (k *Kubelet) lease(node *corev1.Node) *coordinationv1.Lease {
	now, seconds := metav1.NewMicroTime(time.Now()), int32(leaseSeconds)
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: k.config.Name, Namespace: corev1.NamespaceNodeLease,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &k.config.Name, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}
}

func diskSize(path string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil {
		return 0
	}
	return int64(s.Blocks) * int64(s.Bsize) //nolint:unconvert // uint32 on macOS
}
