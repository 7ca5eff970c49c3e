package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/image"
)

const (
	registerRetry = 100 * time.Millisecond
	// statusEvery is how often a node repeats what has not changed; that it lives is what the Lease says.
	statusEvery = 5 * time.Minute
	imagesEvery = 10 * time.Second
	// runtimeName is the scheme of the node's container runtime in container IDs and in the Node.
	runtimeName = "ingresslab"
)

// keepNode registers the node and then keeps its Lease and its status.
func (k *Kubelet) keepNode(ctx context.Context) {
	k.nodeEvent(reasonStarting, "Starting kubelet.")
	node := k.register(ctx)
	if node == nil {
		return // ctx has ended
	}
	k.nodeEvent(reasonNodeReady, fmt.Sprintf("Node %s status is now: NodeReady", k.config.Name))
	var both sync.WaitGroup
	both.Go(func() { k.keepLease(ctx, node) })
	both.Go(func() { k.keepStatus(ctx, node.Status.Images) })
	both.Wait()
}

// keepStatus repeats the status now and then, and soon if the node has other images than it said, or is taken for dead: an API
// server that was gone for a while has heard nothing of it.
func (k *Kubelet) keepStatus(ctx context.Context, said []corev1.ContainerImage) {
	for last := time.Now(); pause(ctx, imagesEvery); {
		images := k.nodeImages()
		if time.Since(last) < statusEvery && equality.Semantic.DeepEqual(images, said) && !k.takenForDead(ctx) {
			continue
		}
		if err := k.patchStatus(ctx); err != nil {
			k.config.Log("node %s: report its status: %v", k.config.Name, err)
			continue
		}
		last, said = time.Now(), images
	}
}

// takenForDead tells whether the API has the node as one that is not ready. Its own status never says so.
func (k *Kubelet) takenForDead(ctx context.Context) bool {
	node, err := k.config.Client.CoreV1().Nodes().Get(ctx, k.config.Name, metav1.GetOptions{ResourceVersion: "0"})
	return err == nil && slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue
	})
}

// register tries until the Node is in the API and says Ready. It returns nil when ctx ends before.
func (k *Kubelet) register(ctx context.Context) *corev1.Node {
	var said string
	for {
		node, err := k.registerOnce(ctx)
		if err == nil {
			return node
		}
		if err.Error() != said && ctx.Err() == nil {
			said = err.Error()
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
	// It was there before this start. Its labels may have grown, and others' labels and taints are theirs.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": k.labels()}})
	if err != nil {
		return nil, err
	}
	if _, err := nodes.Patch(ctx, k.config.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return nil, err
	}
	if err := k.patchStatus(ctx); err != nil {
		return nil, err
	}
	return nodes.Get(ctx, k.config.Name, metav1.GetOptions{})
}

// node is what is registered. A Node may be created with its status, so that it is Ready from the start.
func (k *Kubelet) node() *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: k.config.Name, Labels: k.labels(),
			// Says to the controller manager that nothing is attached or detached by it
			// (https://kubernetes.io/docs/reference/labels-annotations-taints/).
			Annotations: map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
		},
		Spec: corev1.NodeSpec{
			PodCIDR: k.config.PodRange.String(), PodCIDRs: []string{k.config.PodRange.String()}, Taints: k.config.Taints,
		},
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
	nodes := k.config.Client.CoreV1().Nodes()
	node, err := nodes.Get(ctx, k.config.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"status": k.nodeStatus(node.Status.Conditions)})
	if err != nil {
		return err
	}
	_, err = nodes.Patch(ctx, k.config.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// nodeStatus is what a healthy node says; conditions that were so before keep the time at which they became so.
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
