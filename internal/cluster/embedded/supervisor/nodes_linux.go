package supervisor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/kubelet"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/nodeapi"
)

const (
	kubeletPort   = 10250           // kubeletPort is the port of the kubelet API
	clusterDomain = "cluster.local" // clusterDomain is the DNS domain of the cluster
	// controlPlaneRole is the label and the taint of the control-plane node, as in kubeadm and kind.
	controlPlaneRole = "node-role.kubernetes.io/control-plane"
)

// startNodes starts all nodes. Each node registers itself; bootstrap waits until they are Ready.
func (s *supervisor) startNodes(ctx context.Context) error {
	runtime, err := container.NewHost()
	if err != nil {
		return err
	}
	s.nodes = map[string]network.Namespace{}
	images := container.NewStore(ImageDir(s.Dir))
	for i := range s.Nodes {
		name := NodeName(s.Name, i)
		if err := s.startNode(ctx, i, images, runtime); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
	return nil
}

func (s *supervisor) startNode(ctx context.Context, i int, images container.Images, runtime container.Runtime) error {
	name, address := NodeName(s.Name, i), NodeAddress(i)
	ns, err := s.network.AddNode(ctx, address)
	if err != nil {
		return err
	}
	s.nodes[name] = ns
	client, err := s.plane.Client(controlplane.NodeUserPrefix+name, controlplane.NodeGroup)
	if err != nil {
		return err
	}
	node, err := kubelet.New(kubelet.Config{
		Name: name, Address: address, PodRange: podRange(i), Taints: s.taints(i),
		Version: s.Binaries.Version, Client: client,
		Namespace: ns, AddPod: s.network.AddPod,
		Images: images, Runtime: runtime,
		Dir: filepath.Join(NodesDir(s.Dir), name), APIPort: kubeletPort,
		DNS: network.DNS, ClusterDomain: clusterDomain, Log: s.log,
	})
	if err != nil {
		return err
	}
	if err := s.serveNode(ctx, name, ns, node); err != nil {
		return err
	}
	go func() {
		if err := node.Run(ctx); err != nil {
			s.log("%v", err)
		}
	}()
	return nil
}

func (s *supervisor) serveNode(ctx context.Context, name string, ns network.Namespace, node *kubelet.Kubelet) error {
	config, err := s.plane.NodeTLS(name, ns.Address())
	if err != nil {
		return err
	}
	listener, err := ns.Listen(ctx, "tcp4", net.JoinHostPort(ns.Address().String(), strconv.Itoa(kubeletPort)))
	if err != nil {
		return err
	}
	go func() {
		if err := nodeapi.Serve(ctx, listener, config, node); err != nil {
			s.log("kubelet API of node %s: %v", name, err)
		}
	}()
	return nil
}

// podRange returns the /24 of network.Pods for node i.
func podRange(i int) netip.Prefix {
	base := network.Pods.Addr().As4()
	base[2] = byte(i) //nolint:gosec // i < cluster.MaxNodes
	return netip.PrefixFrom(netip.AddrFrom4(base), 24)
}

// taints returns node i's taints. With several nodes, they keep pods off the control-plane node.
func (s *supervisor) taints(i int) []corev1.Taint {
	if i > 0 || s.Nodes == 1 {
		return nil
	}
	return []corev1.Taint{{Key: controlPlaneRole, Effect: corev1.TaintEffectNoSchedule}}
}

// bootstrapPoll is the delay between attempts of a bootstrap step.
const bootstrapPoll = 20 * time.Millisecond

// bootstrap creates the objects that kubeadm would create. Then it waits until pods can run: the
// nodes are Ready, and the default service account exists.
func (s *supervisor) bootstrap(ctx context.Context) error {
	admin, err := s.plane.Admin()
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, kubernetes.Interface) error{
		createDNSService, s.labelControlPlane, s.checkNodesReady, checkServiceAccount,
	} {
		if err := retry(ctx, bootstrapPoll, func() error { return step(ctx, admin) }); err != nil {
			return err
		}
	}
	return nil
}

const (
	dnsName = "kube-dns"
	dnsPort = 53
)

// createDNSService creates a Service for the hub's DNS server. Its IP is in pods' resolv.conf.
func createDNSService(ctx context.Context, admin kubernetes.Interface) error {
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
	// Creating an existing Service fails, but not with AlreadyExists: its cluster IP is in use.
	_, err := admin.CoreV1().Services(meta.Namespace).Get(ctx, dnsName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = admin.CoreV1().Services(meta.Namespace).Create(ctx, service, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("service %s/%s: %w", meta.Namespace, dnsName, err)
	}
	_, err = admin.DiscoveryV1().EndpointSlices(meta.Namespace).Create(ctx, slice, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("EndpointSlice %s/%s: %w", meta.Namespace, dnsName, err)
	}
	return nil
}

// labelControlPlane sets the role label of the control-plane node, which a kubelet cannot set
// (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction).
func (s *supervisor) labelControlPlane(ctx context.Context, admin kubernetes.Interface) error {
	patch := []byte(`{"metadata":{"labels":{"` + controlPlaneRole + `":""}}}`)
	name := NodeName(s.Name, 0)
	if _, err := admin.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("label node %s: %w", name, err)
	}
	return nil
}

// checkNodesReady returns an error that lists the nodes that are not Ready.
func (s *supervisor) checkNodesReady(ctx context.Context, admin kubernetes.Interface) error {
	list, err := admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var missing []string
	for i := range s.Nodes {
		name := NodeName(s.Name, i)
		if !slices.ContainsFunc(list.Items, func(n corev1.Node) bool { return n.Name == name && isReady(&n) && !unreachable(&n) }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not Ready: %s", strings.Join(missing, ", "))
	}
	return nil
}

func isReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// unreachable reports whether a node has the taint not-ready or unreachable. The node lifecycle
// controller adds not-ready to each new node, and might keep either taint briefly after a restart.
func unreachable(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
		return t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable
	})
}

// checkServiceAccount returns an error if the namespace default has no default service account.
func checkServiceAccount(ctx context.Context, admin kubernetes.Interface) error {
	_, err := admin.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}
