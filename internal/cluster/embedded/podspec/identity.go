package podspec

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// identity is who a container's first process is; nil and empty leave it to the image.
type identity struct {
	user, group *int64
	groups      []int64
}

// identityOf puts the container's securityContext over the pod's
// (https://kubernetes.io/docs/tasks/configure-pod-container/security-context/).
func identityOf(pod *corev1.Pod, c *corev1.Container) identity {
	var id identity
	if security := pod.Spec.SecurityContext; security != nil {
		id.user, id.group = security.RunAsUser, security.RunAsGroup
		if security.FSGroup != nil {
			id.groups = append(id.groups, *security.FSGroup)
		}
		id.groups = append(id.groups, security.SupplementalGroups...)
	}
	if security := c.SecurityContext; security != nil {
		if security.RunAsUser != nil {
			id.user = security.RunAsUser
		}
		if security.RunAsGroup != nil {
			id.group = security.RunAsGroup
		}
	}
	return id
}

// CheckUser holds a container with runAsNonRoot against the user it will run as. The error is a *ConfigError in the words of
// a kubelet: the container waits with CreateContainerConfigError.
func CheckUser(pod *corev1.Pod, c *corev1.Container, image *container.Image) error {
	var wanted *bool
	if security := pod.Spec.SecurityContext; security != nil {
		wanted = security.RunAsNonRoot
	}
	if security := c.SecurityContext; security != nil && security.RunAsNonRoot != nil {
		wanted = security.RunAsNonRoot
	}
	if !isTrue(wanted) {
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
	if name == "" {
		name = "0"
	}
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
