package podspec

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	// maxLabel is the longest host name a pod has; a longer pod name is cut.
	maxLabel = 63
	// maxKernelName is the longest name that uname(2) has room for.
	maxKernelName = 64
)

// hostname is what a pod is called.
type hostname struct {
	// name is the first label and domain the rest, empty without spec.subdomain.
	name, domain string
	// kernel is what uname(2) says.
	kernel string
}

// hostname follows https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-hostname-and-subdomain-fields.
// The error is a *ConfigError.
func (n *Node) hostname(pod *corev1.Pod) (hostname, error) {
	if pod.Spec.HostNetwork {
		return hostname{name: n.Name, kernel: n.Name}, nil
	}
	if override := pod.Spec.HostnameOverride; override != nil {
		name := cutName(*override)
		return hostname{name: name, kernel: name}, nil
	}
	name := pod.Name
	if pod.Spec.Hostname != "" {
		name = pod.Spec.Hostname
	}
	name = cutName(name)
	h := hostname{name: name, kernel: name}
	if pod.Spec.Subdomain == "" {
		return h, nil
	}
	h.domain = fmt.Sprintf("%s.%s.svc.%s", pod.Spec.Subdomain, pod.Namespace, n.ClusterDomain)
	if isTrue(pod.Spec.SetHostnameAsFQDN) {
		h.kernel = h.name + "." + h.domain
		if len(h.kernel) > maxKernelName {
			return h, configErrorf("failed to construct FQDN from pod hostname and cluster domain, FQDN %s is too long "+
				"(%d characters is the max, %d characters requested)", h.kernel, maxKernelName, len(h.kernel))
		}
	}
	return h, nil
}

func cutName(name string) string {
	if len(name) <= maxLabel {
		return name
	}
	return strings.TrimRight(name[:maxLabel], "-.")
}

// hosts is the pod's /etc/hosts
// (https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/).
func (n *Node) hosts(pod Pod, h hostname) string {
	var out strings.Builder
	out.WriteString("# Kubernetes-managed hosts file.\n" +
		"127.0.0.1\tlocalhost\n" +
		"::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::0\tip6-localnet\n" +
		"fe00::0\tip6-mcastprefix\n" +
		"fe00::1\tip6-allnodes\n" +
		"fe00::2\tip6-allrouters\n")
	address := pod.Address
	if pod.Spec.HostNetwork {
		address = n.Address
	}
	switch {
	case !address.IsValid():
	case h.domain != "":
		fmt.Fprintf(&out, "%s\t%s.%s\t%s\n", address, h.name, h.domain, h.name)
	default:
		fmt.Fprintf(&out, "%s\t%s\n", address, h.name)
	}
	if len(pod.Spec.HostAliases) > 0 {
		out.WriteString("\n# Entries added by HostAliases.\n")
	}
	for _, alias := range pod.Spec.HostAliases {
		fmt.Fprintf(&out, "%s\t%s\n", alias.IP, strings.Join(alias.Hostnames, "\t"))
	}
	return out.String()
}
