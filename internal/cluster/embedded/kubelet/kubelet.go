package kubelet

import (
	"context"
	"errors"
	"net"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// Config is a node.
type Config struct {
	// Name, Address and PodRange are the node's; PodRange is a /24.
	Name     string
	Address  netip.Addr
	PodRange netip.Prefix
	// Labels and Taints are given to the Node when it is registered.
	Labels map[string]string
	Taints []corev1.Taint
	// Version is what it reports as its kubelet's, e.g. "v1.36.3".
	Version string
	// Client has the rights of this node (user system:node:NAME, group system:nodes).
	Client kubernetes.Interface
	// Namespace is the node's own network; AddPod makes a pod's.
	Namespace network.Namespace
	AddPod    func(ctx context.Context, address netip.Addr) (network.Namespace, error)
	// Images and Runtime start containers.
	Images  container.Images
	Runtime container.Runtime
	// Dir is the node's directory: pods' files and logs are below it. What an earlier supervisor left in it is removed.
	Dir string
	// APIPort is the port of the node's API on Address.
	APIPort int32
	// DNS and ClusterDomain are the cluster's.
	DNS           netip.Addr
	ClusterDomain string
}

// Kubelet runs one node.
type Kubelet struct{ config Config }

// New returns a Kubelet that does nothing yet.
func New(c Config) (*Kubelet, error) { return &Kubelet{c}, nil }

// Run runs the node until ctx ends; then it returns without stopping the pods: the supervisor's end is theirs.
func (k *Kubelet) Run(_ context.Context) error { return errors.New("not built yet") }

// NoContainerError says that a container cannot be reached: no such pod, no such container, or it does not run.
type NoContainerError struct{ Message string }

func (e *NoContainerError) Error() string { return e.Message }

// Container returns a running container, for exec and attach. The error is a *NoContainerError.
func (k *Kubelet) Container(_, _, _ string) (container.Container, error) {
	return nil, errors.New("not built yet")
}

// Log returns the file of a container's log (of its previous run if so wanted), and a channel that is closed when nothing
// will be added any more. The error is a *NoContainerError in the words of a kubelet: `container "x" in pod "y" is waiting to
// start: ContainerCreating`, `previous terminated container "x" in pod "y" not found`.
func (k *Kubelet) Log(_, _, _ string, _ bool) (path string, ended <-chan struct{}, err error) {
	return "", nil, errors.New("not built yet")
}

// Dial connects to a port of a pod from inside it, as kubectl port-forward does. The error is a *NoContainerError if there is
// no such pod.
func (k *Kubelet) Dial(_ context.Context, _, _ string, _ uint16) (net.Conn, error) {
	return nil, errors.New("not built yet")
}
