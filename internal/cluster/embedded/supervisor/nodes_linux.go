package supervisor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/kubelet"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/nodeapi"
)

const (
	// kubeletPort is the port of the kubelet API.
	kubeletPort = 10250
	// clusterDomain is the DNS domain of the cluster.
	clusterDomain = "cluster.local"
	// controlPlaneRole is the label and the taint of the control-plane node, as in kubeadm and
	// kind.
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
	client, err := s.client(controlplane.NodeUserPrefix+name, controlplane.NodeGroup)
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

// serveNode serves the kubelet API of a node.
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

// taints keep ordinary pods off the control-plane node if the cluster has another node.
func (s *supervisor) taints(i int) []corev1.Taint {
	if i > 0 || s.Nodes == 1 {
		return nil
	}
	return []corev1.Taint{{Key: controlPlaneRole, Effect: corev1.TaintEffectNoSchedule}}
}

// client returns a client with the permissions of a user.
func (s *supervisor) client(user string, groups ...string) (kubernetes.Interface, error) {
	config, err := s.plane.Client(user, groups...)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
