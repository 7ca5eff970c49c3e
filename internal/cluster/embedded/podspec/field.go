package podspec

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// field returns the value of a fieldRef
// (https://kubernetes.io/docs/concepts/workloads/pods/downward-api/), or a *ConfigError.
func (n *Node) field(pod Pod, path string) (string, error) {
	if base, key, ok := strings.Cut(path, "['"); ok && strings.HasSuffix(key, "']") {
		key = strings.TrimSuffix(key, "']")
		switch base {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
		return "", configErrorf("field label does not support subscript: %s", path)
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return quoted(pod.Labels), nil
	case "metadata.annotations":
		return quoted(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs": // one address each, because the cluster has IPv4 only
		return addressText(n.Address), nil
	case "status.podIP", "status.podIPs":
		return addressText(pod.Address), nil
	}
	return "", configErrorf("unsupported fieldPath: %s", path)
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// quoted formats labels or annotations for downward API volumes: sorted lines of key="value".
func quoted(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, key+"="+strconv.Quote(m[key]))
	}
	return strings.Join(lines, "\n")
}

// resourceField returns a resourceFieldRef divided by its divisor and rounded up, or a
// *ConfigError. Without a limit, a container can use all of the node. c is the default container.
func (n *Node) resourceField(pod *corev1.Pod, c *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" {
		if c = containerOf(pod, ref.ContainerName); c == nil {
			return "", configErrorf("container %s not found", ref.ContainerName)
		}
	}
	kind, name, _ := strings.Cut(ref.Resource, ".")
	if c == nil || (kind != "limits" && kind != "requests") || !selectable(corev1.ResourceName(name)) {
		return "", configErrorf("unsupported container resource : %v", ref.Resource)
	}
	amount := c.Resources.Requests[corev1.ResourceName(name)]
	if kind == "limits" {
		amount = c.Resources.Limits[corev1.ResourceName(name)]
		if amount.IsZero() && !strings.HasPrefix(name, corev1.ResourceHugePagesPrefix) {
			amount = n.Allocatable[corev1.ResourceName(name)]
		}
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == string(corev1.ResourceCPU) {
		return ceiling(amount.MilliValue(), divisor.MilliValue()), nil
	}
	return ceiling(amount.Value(), divisor.Value()), nil
}

func selectable(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return true
	}
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

func containerOf(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

func ceiling(amount, divisor int64) string {
	quotient := amount / divisor
	if amount%divisor > 0 {
		quotient++
	}
	return strconv.FormatInt(quotient, 10)
}
