package virtual

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

const (
	// leaseInterval and leaseDuration are the kubelet's defaults
	// (https://kubernetes.io/docs/concepts/architecture/nodes/#node-heartbeats).
	leaseInterval = 10 * time.Second
	leaseDuration = 40 * time.Second
	// defaultCapacity is the pod capacity of a node that does not set one. Kubernetes recommends at
	// most 110 because of the node's machine, which does not exist here.
	defaultCapacity = 1000
)

// node makes a node Ready.
func (k *kubelet) node(ctx context.Context, name string) error {
	node, err := k.nodes.Get(name)
	if err != nil {
		return nil //nolint:nilerr // the node was deleted
	}
	if condition := nodeReady(node); condition != nil && condition.Status == corev1.ConditionTrue && len(node.Status.Addresses) > 0 {
		return nil
	}
	if err := k.renew(ctx, node); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"status": k.nodeStatus(node, metav1.Now())})
	if err != nil {
		return fmt.Errorf("node %s: status: %w", name, err)
	}
	_, err = k.Client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("node %s: status: %w", name, err)
	}
	return nil
}

// nodeStatus returns the status of a Ready node. It keeps an existing capacity.
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

func nodeReady(node *corev1.Node) *corev1.NodeCondition {
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady {
			return &node.Status.Conditions[i]
		}
	}
	return nil
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
	if err != nil {
		return fmt.Errorf("lease of node %s: %w", node.Name, err)
	}
	_, err = leases.Patch(ctx, node.Name, types.MergePatchType, body, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, newLease(node), metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("lease of node %s: %w", node.Name, err)
	}
	return nil
}

// newLease returns a Lease that is deleted with its node.
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
