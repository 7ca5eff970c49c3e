package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// furnishPoll is how often the API is asked whether the cluster is as it should be.
const furnishPoll = 20 * time.Millisecond

// furnish puts into the API what kubeadm would have put there, and waits until pods can run: the nodes are Ready, and the
// controllers have made the account that pods run as.
func (s *supervisor) furnish(ctx context.Context) error {
	config, err := s.plane.Admin()
	if err != nil {
		return err
	}
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, look := range []func(context.Context, kubernetes.Interface) error{
		nameService, s.markControlPlane, s.nodesReady, accountThere,
	} {
		if err := poll(ctx, func() error { return look(ctx, admin) }); err != nil {
			return err
		}
	}
	return nil
}

// poll calls look until it returns nil or ctx ends; then the error is what it said last.
func poll(ctx context.Context, look func() error) error {
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(furnishPoll):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

const (
	dnsName = "kube-dns"
	dnsPort = 53
)

// nameService makes the Service of the cluster's name server, at the address that pods have in their resolv.conf. The
// server itself is in the hub.
func nameService(ctx context.Context, admin kubernetes.Interface) error {
	meta := metav1.ObjectMeta{
		Name: dnsName, Namespace: metav1.NamespaceSystem,
		Labels: map[string]string{"k8s-app": dnsName, "kubernetes.io/name": "CoreDNS", "kubernetes.io/cluster-service": "true"},
	}
	ports := map[string]corev1.Protocol{"dns": corev1.ProtocolUDP, "dns-tcp": corev1.ProtocolTCP}
	service := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{ClusterIP: network.DNS.String()}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  *meta.DeepCopy(),
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses:  []string{network.Hub.String()},
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
		}},
	}
	slice.Labels[discoveryv1.LabelServiceName] = dnsName
	slice.Labels[discoveryv1.LabelManagedBy] = "ingresslab"
	for name, protocol := range ports {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: name, Protocol: protocol, Port: dnsPort})
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &name, Protocol: &protocol, Port: ptr.To[int32](dnsPort)})
	}
	// Asked for first: to make it again is not refused as one that exists, but for its address, which is taken.
	_, err := admin.CoreV1().Services(meta.Namespace).Get(ctx, dnsName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = admin.CoreV1().Services(meta.Namespace).Create(ctx, service, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("service %s/%s: %w", meta.Namespace, dnsName, err)
	}
	if _, err := admin.DiscoveryV1().EndpointSlices(meta.Namespace).Create(ctx, slice, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("endpoint slice %s/%s: %w", meta.Namespace, dnsName, err)
	}
	return nil
}

// markControlPlane gives the control plane's node the label of its role, which no node may give itself
// (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction).
func (s *supervisor) markControlPlane(ctx context.Context, admin kubernetes.Interface) error {
	patch := []byte(`{"metadata":{"labels":{"` + controlPlaneRole + `":""}}}`)
	name := NodeName(s.Name, 0)
	if _, err := admin.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("label node %s: %w", name, err)
	}
	return nil
}

// nodesReady returns an error that says which nodes are not Ready.
func (s *supervisor) nodesReady(ctx context.Context, admin kubernetes.Interface) error {
	list, err := admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	waiting := map[string]bool{}
	for i := range s.Nodes {
		waiting[NodeName(s.Name, i)] = true
	}
	for _, n := range list.Items {
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && !unreachable(&n) {
				delete(waiting, n.Name)
			}
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	var names []string
	for name := range waiting {
		names = append(names, name)
	}
	return fmt.Errorf("not Ready: %s", strings.Join(names, ", "))
}

// unreachable tells whether the controllers hold a node for not Ready or out of reach, as they may for a moment of one that
// was away; they add the taint not-ready to every new node, too.
func unreachable(n *corev1.Node) bool {
	for _, t := range n.Spec.Taints {
		if t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable {
			return true
		}
	}
	return false
}

// accountThere returns an error until pods in the namespace default have an account to run as.
func accountThere(ctx context.Context, admin kubernetes.Interface) error {
	_, err := admin.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}
