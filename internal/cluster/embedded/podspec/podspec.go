package podspec

import (
	"context"
	"errors"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// Node is what pods may learn about the node they run on, and what is needed to find out more.
type Node struct {
	// Client has the rights of the node: it may read the Secrets and ConfigMaps of the node's pods, and ask for tokens of
	// their service accounts (https://kubernetes.io/docs/reference/access-authn-authz/node/).
	Client kubernetes.Interface
	// Name and Address are the node's.
	Name    string
	Address netip.Addr
	// Services lists the Services whose addresses become variables of the environment.
	Services corelisters.ServiceLister
	// DNS is the cluster's name server, ClusterDomain what its names end in ("cluster.local").
	DNS           netip.Addr
	ClusterDomain string
	// Allocatable is what the node has to give, for resourceFieldRef.
	Allocatable corev1.ResourceList
}

// Pod is a pod that is about to run.
type Pod struct {
	*corev1.Pod
	// Address is the pod's; the status may not have it yet.
	Address netip.Addr
	// Dir is the pod's directory: volumes are below it.
	Dir string
}

// Volumes writes the files of every volume of the pod into its directory. The error names the volume and what is missing
// ("volume "cert": secret "web-tls" not found"), and the call can be repeated until it is there.
// The files of later calls replace those before at once, as kubelets do it (a symbolic link ..data that is swapped).
func (n *Node) Volumes(_ context.Context, _ Pod) error { return errors.New("not built yet") }

// Render fills in what the manifest says about a container: Name, Command, Args, Env, WorkingDir, User, Group, Hostname,
// Mounts, ReadOnly, Stdin and TTY; the rest is the caller's. The error is a *ConfigError if the manifest refers to
// something that is not there: the container waits with CreateContainerConfigError and it is tried again.
func (n *Node) Render(_ context.Context, _ Pod, _ *corev1.Container) (container.Spec, error) {
	return container.Spec{}, errors.New("not built yet")
}

// ConfigError says what a container's manifest refers to that is not there.
type ConfigError struct{ Message string }

func (e *ConfigError) Error() string { return e.Message }
