package kubelet

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A node that has not renewed its Lease for a while is taken for dead
// (https://kubernetes.io/docs/concepts/architecture/nodes/#node-heartbeats).
const (
	leaseSeconds = 40
	leaseEvery   = leaseSeconds * time.Second / 4
	leaseRetry   = 200 * time.Millisecond
)

// keepLease renews the node's Lease until ctx ends.
func (k *Kubelet) keepLease(ctx context.Context, node *corev1.Node) {
	var held *coordinationv1.Lease
	for {
		lease, err := k.renew(ctx, node, held)
		wait := leaseEvery
		if err != nil {
			// Right after the start of the API server, the namespace of the Leases is not there yet.
			wait = leaseRetry
			if held != nil {
				k.config.Log("node %s: renew its lease: %v", k.config.Name, err)
				wait = time.Second
			}
			lease = nil // with an error comes a Lease without a name, which could never be renewed
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
	// A conflict means that ours is old: the next try gets it anew.
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
