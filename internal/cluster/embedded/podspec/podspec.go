package podspec

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// Node is what pods may learn about the node they run on, and what is needed to find out more. Its methods may be called
// from any goroutine, but Volumes for one pod from one at a time.
type Node struct {
	// Client has the rights of the node: it may read the Secrets and ConfigMaps of the node's pods, and ask for tokens of
	// their service accounts (https://kubernetes.io/docs/reference/access-authn-authz/node/).
	Client kubernetes.Interface
	// Name and Address are the node's.
	Name    string
	Address netip.Addr
	// HostDir is the directory that hostPath volumes see as the root of the node's files: a pod reaches nothing of the
	// machine that is outside it. If empty, hostPath volumes are refused.
	HostDir string
	// Services lists the Services whose addresses become variables of the environment.
	Services corelisters.ServiceLister
	// DNS is the cluster's name server, ClusterDomain what its names end in ("cluster.local").
	DNS           netip.Addr
	ClusterDomain string
	// Allocatable is what the node has to give, for resourceFieldRef.
	Allocatable corev1.ResourceList

	objects objectCache
	tokens  tokenCache
}

// Pod is a pod that is about to run.
type Pod struct {
	*corev1.Pod
	// Address is the pod's; the status may not have it yet.
	Address netip.Addr
	// Dir is the pod's directory: volumes are below it.
	Dir string
}

// ConfigError says what a container's manifest refers to that is not there.
type ConfigError struct{ Message string }

func (e *ConfigError) Error() string { return e.Message }

// Render fills in what the manifest says about a container: Name, Command, Args, Env, WorkingDir, User, Group, Groups,
// Hostname, Mounts, ReadOnly, Stdin, StdinOnce and TTY; the rest is the caller's. The file for terminationMessagePath is the
// caller's as well. Volumes has to have succeeded before. The error is a *ConfigError if the manifest refers to something
// that is not there: the container waits with CreateContainerConfigError and it is tried again.
func (n *Node) Render(ctx context.Context, pod Pod, c *corev1.Container) (container.Spec, error) {
	if len(c.VolumeDevices) > 0 {
		return container.Spec{}, configErrorf("container %q: volumeDevices are not supported on an embedded cluster; use kind", c.Name)
	}
	host, err := n.hostname(pod.Pod)
	if err != nil {
		return container.Spec{}, err
	}
	vars, err := n.environment(ctx, pod, c)
	if err != nil {
		return container.Spec{}, err
	}
	mounts, err := n.mounts(pod, c, vars)
	if err != nil {
		return container.Spec{}, err
	}
	spec := container.Spec{
		Name:       c.Name,
		Command:    expandAll(c.Command, vars.lookup),
		Args:       expandAll(c.Args, vars.lookup),
		WorkingDir: c.WorkingDir,
		Hostname:   host.kernel,
		Mounts:     mounts,
		Stdin:      c.Stdin,
		StdinOnce:  c.StdinOnce,
		TTY:        c.TTY,
	}
	if spec.Env, err = vars.list(host.kernel); err != nil {
		return container.Spec{}, err
	}
	identity := identityOf(pod.Pod, c)
	spec.User, spec.Group, spec.Groups = identity.user, identity.group, identity.groups
	if security := c.SecurityContext; security != nil && security.ReadOnlyRootFilesystem != nil {
		spec.ReadOnly = *security.ReadOnlyRootFilesystem
	}
	return spec, nil
}
