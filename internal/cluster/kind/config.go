package kind

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Ports of the controller on its node. manifests/kind uses the same host ports.
const (
	containerHTTPPort   = 80
	containerHTTPSPort  = 443
	containerStatusPort = 18080
)

// cgroupV1Patch lets the kubelet start on cgroup v1. Since Kubernetes 1.35 it refuses that by default
// (https://kubernetes.io/docs/concepts/architecture/cgroups/#deprecation-of-cgroup-v1).
const cgroupV1Patch = `kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
failCgroupV1: false
`

// config returns kind's configuration of a cluster. The control plane has the port mappings, because
// every cluster has this node and the controller runs on all nodes.
func config(name string, r *cluster.Record, cgroupV1 bool) *v1alpha4.Cluster {
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

// mapping expects valid ports, at most 65535.
func mapping(containerPort, hostPort int) v1alpha4.PortMapping {
	return v1alpha4.PortMapping{
		ContainerPort: int32(containerPort), HostPort: int32(hostPort),
		ListenAddress: cluster.Loopback, Protocol: v1alpha4.PortMappingProtocolTCP,
	}
}

// inotifyLimit is the file of a kernel limit (https://man7.org/linux/man-pages/man7/inotify.7.html).
const inotifyLimit = "/proc/sys/fs/inotify/max_user_instances"

// inotifyInstances is enough for several clusters. All nodes share one user's instances, and a kubelet
// without one restarts forever with "too many open files". Four nodes use up the default of 128
// (https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files).
const inotifyInstances = 512

// raiseInotify raises the limit in file if it is too low, and returns a note for the user. Without the
// file, for example if Docker runs in a virtual machine, it does nothing.
func raiseInotify(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || limit >= inotifyInstances {
		return ""
	}
	if os.WriteFile(file, []byte(strconv.Itoa(inotifyInstances)), 0o644) != nil {
		return fmt.Sprintf("fs.inotify.max_user_instances is %d, so a second cluster can fail; as root, run: sysctl -w fs.inotify.max_user_instances=%d",
			limit, inotifyInstances)
	}
	return fmt.Sprintf("raised fs.inotify.max_user_instances from %d to %d until the next boot; nodes need many", limit, inotifyInstances)
}
