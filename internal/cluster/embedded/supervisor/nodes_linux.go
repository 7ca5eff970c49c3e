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
	// nodePort is where a node's API listens, as kubelets do.
	nodePort = 10250
	// clusterDomain is what names in the cluster end in.
	clusterDomain = "cluster.local"
	// controlPlaneRole is the label and the taint that kubeadm, and with it kind, gives to the control plane's node.
	controlPlaneRole = "node-role.kubernetes.io/control-plane"
)

// startNodes starts all nodes. They register themselves; whether they are Ready is for the API to say.
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
	space, err := s.network.AddNode(ctx, address)
	if err != nil {
		return err
	}
	s.nodes[name] = space
	client, err := s.client(controlplane.NodeUserPrefix+name, controlplane.NodeGroup)
	if err != nil {
		return err
	}
	node, err := kubelet.New(kubelet.Config{
		Name: name, Address: address, PodRange: podRange(i), Taints: s.taints(i),
		Version: s.Binaries.Version, Client: client,
		Namespace: space, AddPod: s.network.AddPod,
		Images: images, Runtime: runtime,
		Dir: filepath.Join(NodesDir(s.Dir), name), APIPort: nodePort,
		DNS: network.DNS, ClusterDomain: clusterDomain, Log: s.log,
	})
	if err != nil {
		return err
	}
	if err := s.serveNode(ctx, name, space, node); err != nil {
		return err
	}
	s.background.Go(func() {
		if err := node.Run(ctx); err != nil {
			s.log("%v", err)
		}
	})
	return nil
}

// serveNode opens the API of a node.
func (s *supervisor) serveNode(ctx context.Context, name string, space network.Namespace, node *kubelet.Kubelet) error {
	config, err := s.plane.NodeTLS(name, space.Address())
	if err != nil {
		return err
	}
	listener, err := space.Listen(ctx, "tcp4", net.JoinHostPort(space.Address().String(), strconv.Itoa(nodePort)))
	if err != nil {
		return err
	}
	s.background.Go(func() {
		if err := nodeapi.Serve(ctx, listener, config, node); err != nil {
			s.log("API of node %s: %v", name, err)
		}
	})
	return nil
}

// podRange is that of node number i: a /24 of network.Pods.
func podRange(i int) netip.Prefix {
	base := network.Pods.Addr().As4()
	base[2] = byte(i) //nolint:gosec // clusters have at most cluster.MaxNodes nodes
	return netip.PrefixFrom(netip.AddrFrom4(base), 24)
}

// taints keep ordinary pods from the control plane's node if there is another for them.
func (s *supervisor) taints(i int) []corev1.Taint {
	if i > 0 || s.Nodes == 1 {
		return nil
	}
	return []corev1.Taint{{Key: controlPlaneRole, Effect: corev1.TaintEffectNoSchedule}}
}

// client is one with the rights of a user.
func (s *supervisor) client(user string, groups ...string) (kubernetes.Interface, error) {
	config, err := s.plane.Client(user, groups...)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
