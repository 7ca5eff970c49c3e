package kind

import (
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

// loopback is the only address the lab listens on: a classroom's neighbors
// have no business in it.
const loopback = "127.0.0.1"

// Ports of the ingress controller on its node
// (manifests/kind runs it with these host ports).
const (
	containerHTTPPort   = 80
	containerHTTPSPort  = 443
	containerStatusPort = 18080
)

// cgroupV1Patch lets the kubelet start where the machine is still on cgroup v1,
// which it refuses by default since Kubernetes 1.35
// (https://kubernetes.io/docs/concepts/architecture/cgroups/#deprecation-of-cgroup-v1).
const cgroupV1Patch = `kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
failCgroupV1: false
`

// config renders what kind is told to create. The ports are those of the
// control plane, the one node that every cluster has; the controller runs on
// all nodes, so it is there, too.
func config(name string, r *record, cgroupV1 bool) *v1alpha4.Cluster {
	c := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Name:     name,
		Nodes: []v1alpha4.Node{{
			Role:  v1alpha4.ControlPlaneRole,
			Image: r.NodeImage,
			ExtraPortMappings: []v1alpha4.PortMapping{
				mapping(containerHTTPPort, r.HTTPPort),
				mapping(containerHTTPSPort, r.HTTPSPort),
				mapping(containerStatusPort, r.StatusPort),
			},
		}},
	}
	for range r.Nodes - 1 {
		c.Nodes = append(c.Nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole, Image: r.NodeImage})
	}
	if cgroupV1 {
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, cgroupV1Patch)
	}
	return c
}

func mapping(inside, outside int) v1alpha4.PortMapping {
	// Ports are checked to be at most 65535 before they come here.
	return v1alpha4.PortMapping{
		ContainerPort: int32(inside),
		HostPort:      int32(outside),
		ListenAddress: loopback,
		Protocol:      v1alpha4.PortMappingProtocolTCP,
	}
}
