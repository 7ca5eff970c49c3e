// Package podspec translates a container in a pod's manifest into a container.Spec: environment
// variables, command, mounts, and the files of its volumes. It reads the API and writes files to
// the pod's directory. It starts nothing.
package podspec

import (
	"cmp"
	"context"
	"net/netip"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/utils/ptr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// Node has the facts about a node that pods can read. Its methods are safe for concurrent use, but
// do not call Volumes for the same pod concurrently.
type Node struct {
	// Client has the rights of the node: it can read the Secrets and ConfigMaps of the node's pods and
	// create tokens of their service accounts
	// (https://kubernetes.io/docs/reference/access-authn-authz/node/).
	Client        kubernetes.Interface
	Name          string
	Address       netip.Addr
	HostDir       string                    // the root directory of hostPath volumes; if empty, they fail
	Services      corelisters.ServiceLister // for environment variables
	DNS           netip.Addr                // the address of the cluster's DNS server
	ClusterDomain string                    // the suffix of the cluster's DNS names: "cluster.local"
	Allocatable   corev1.ResourceList       // for resourceFieldRef

	objects expiring[objectKey, cachedObject]
	tokens  expiring[tokenKey, token]
}

// Pod is a pod to start.
type Pod struct {
	*corev1.Pod
	Address netip.Addr // a separate field, because the status might not have it yet
	Dir     string     // the pod's directory, which contains its volumes
}

// ConfigError reports a missing object, or a field in a manifest that is invalid or not supported.
type ConfigError struct{ Message string }

func (e *ConfigError) Error() string { return e.Message }

// Render fills in the fields of a container.Spec that the manifest determines: Name, Command, Args,
// Env, WorkingDir, User, Group, Groups, Hostname, Mounts (without terminationMessagePath),
// ReadOnly, Stdin, StdinOnce, and TTY. Call Volumes first. After a *ConfigError, the container
// waits with CreateContainerConfigError and the caller retries.
func (n *Node) Render(ctx context.Context, pod Pod, c *corev1.Container) (container.Spec, error) {
	if len(c.VolumeDevices) > 0 {
		return container.Spec{}, configErrorf("container %q: volumeDevices are not supported in embedded clusters; use kind", c.Name)
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
		Name: c.Name, Command: expandAll(c.Command, vars.lookup), Args: expandAll(c.Args, vars.lookup), WorkingDir: c.WorkingDir,
		Hostname: host.kernel, Mounts: mounts, Stdin: c.Stdin, StdinOnce: c.StdinOnce, TTY: c.TTY,
	}
	if spec.Env, err = vars.list(host.kernel); err != nil {
		return container.Spec{}, err
	}
	identity := identityOf(pod.Pod, c)
	spec.User, spec.Group, spec.Groups = identity.user, identity.group, identity.groups
	_, security := securityOf(pod.Pod, c)
	spec.ReadOnly = ptr.Deref(security.ReadOnlyRootFilesystem, false)
	return spec, nil
}

// identity is the user of a container's PID 1. Nil and empty fields default to the image's.
type identity struct {
	user, group *int64
	groups      []int64
}

// identityOf combines the securityContext of the container with that of the pod
// (https://kubernetes.io/docs/tasks/configure-pod-container/security-context/).
func identityOf(pod *corev1.Pod, c *corev1.Container) identity {
	shared, own := securityOf(pod, c)
	var groups []int64
	if shared.FSGroup != nil {
		groups = append(groups, *shared.FSGroup)
	}
	return identity{
		cmp.Or(own.RunAsUser, shared.RunAsUser), cmp.Or(own.RunAsGroup, shared.RunAsGroup), append(groups, shared.SupplementalGroups...),
	}
}

func securityOf(pod *corev1.Pod, c *corev1.Container) (shared corev1.PodSecurityContext, own corev1.SecurityContext) {
	return ptr.Deref(pod.Spec.SecurityContext, shared), ptr.Deref(c.SecurityContext, own)
}

// CheckUser returns an error if a container with runAsNonRoot would run as root: a *ConfigError
// with a kubelet's message.
func CheckUser(pod *corev1.Pod, c *corev1.Container, image *container.Image) error {
	if shared, own := securityOf(pod, c); !ptr.Deref(cmp.Or(own.RunAsNonRoot, shared.RunAsNonRoot), false) {
		return nil
	}
	where := pod.Name + "_" + pod.Namespace + "(" + string(pod.UID) + ")"
	if user := identityOf(pod, c).user; user != nil {
		if *user == 0 {
			return configErrorf("container's runAsUser breaks non-root policy (pod: %q, container: %s)", where, c.Name)
		}
		return nil
	}
	name, _, _ := strings.Cut(image.User, ":")
	name = cmp.Or(name, "0")
	user, err := strconv.ParseInt(name, 10, 64)
	switch {
	case err != nil:
		return configErrorf("container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root "+
			"(pod: %q, container: %s)", name, where, c.Name)
	case user == 0:
		return configErrorf("container has runAsNonRoot and image will run as root (pod: %q, container: %s)", where, c.Name)
	}
	return nil
}
