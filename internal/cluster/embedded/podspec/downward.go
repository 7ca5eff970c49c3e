package podspec

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
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

func quoted(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, key+"="+strconv.Quote(m[key]))
	}
	return strings.Join(lines, "\n")
}

// resourceField returns a resourceFieldRef, divided by its divisor and rounded up, or a
// *ConfigError. Without a limit, it uses the node's allocatable amount. c is the default container.
func (n *Node) resourceField(pod *corev1.Pod, c *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" {
		all := slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers)
		i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == ref.ContainerName })
		if i < 0 {
			return "", configErrorf("container %s not found", ref.ContainerName)
		}
		c = &all[i]
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

func ceiling(amount, divisor int64) string { return strconv.FormatInt((amount+divisor-1)/divisor, 10) }

const (
	maxLabel      = 63 // a host name is the first 63 characters of the pod name
	maxKernelName = 64 // the limit of uname(2)
)

// hostname has the host and domain names of a pod.
type hostname struct {
	name, domain string // the first label and the rest; domain is empty without spec.subdomain
	kernel       string // the host name that uname(2) reports
}

// hostname returns a pod's names or a *ConfigError
// (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-hostname-and-subdomain-fields).
func (n *Node) hostname(pod *corev1.Pod) (hostname, error) {
	if pod.Spec.HostNetwork {
		return hostname{name: n.Name, kernel: n.Name}, nil
	}
	if override := pod.Spec.HostnameOverride; override != nil {
		name := cutName(*override)
		return hostname{name: name, kernel: name}, nil
	}
	name := cutName(cmp.Or(pod.Spec.Hostname, pod.Name))
	h := hostname{name: name, kernel: name}
	if pod.Spec.Subdomain == "" {
		return h, nil
	}
	h.domain = fmt.Sprintf("%s.%s.svc.%s", pod.Spec.Subdomain, pod.Namespace, n.ClusterDomain)
	if ptr.Deref(pod.Spec.SetHostnameAsFQDN, false) {
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

// hosts implements https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/.
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

// nodeFiles writes the files that a kubelet manages. It returns a map from mount targets to paths.
func (n *Node) nodeFiles(pod Pod) (map[string]string, error) {
	host, err := n.hostname(pod.Pod)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for name, content := range map[string]string{
		"hosts":       n.hosts(pod, host),
		"hostname":    host.kernel + "\n",
		"resolv.conf": n.resolver(pod.Pod).String(),
	} {
		file := filepath.Join(pod.Dir, "etc", name)
		if err := writeFile(file, content); err != nil {
			return nil, err
		}
		files["/etc/"+name] = file
	}
	return files, nil
}

// writeFile writes a file, unless it is up to date: containers might have mounted it.
func writeFile(file, content string) error {
	old, err := os.ReadFile(file)
	if err == nil && string(old) == content {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Chmod(file, 0o644) // independent of the umask
}

// These are the limits of resolv.conf in C libraries and in the API server.
const (
	maxNameservers = 3
	maxSearches    = 32
)

// resolver has the settings of a resolv.conf(5).
type resolver struct {
	nameservers, searches, options []string
}

// resolver implements
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy.
// The node uses the cluster's DNS server, too, because its network has no other.
func (n *Node) resolver(pod *corev1.Pod) resolver {
	var r resolver
	policy := pod.Spec.DNSPolicy
	if policy == corev1.DNSClusterFirst && pod.Spec.HostNetwork {
		policy = corev1.DNSDefault
	}
	if policy != corev1.DNSNone && n.DNS.IsValid() {
		r.nameservers = []string{n.DNS.String()}
	}
	if policy != corev1.DNSNone && policy != corev1.DNSDefault {
		services := "svc." + n.ClusterDomain
		r.searches = []string{pod.Namespace + "." + services, services, n.ClusterDomain}
		r.options = []string{"ndots:5"}
	}
	if config := pod.Spec.DNSConfig; config != nil {
		r.add(config)
	}
	r.nameservers = r.nameservers[:min(len(r.nameservers), maxNameservers)]
	r.searches = r.searches[:min(len(r.searches), maxSearches)]
	return r
}

func (r *resolver) add(config *corev1.PodDNSConfig) {
	r.nameservers = union(r.nameservers, config.Nameservers)
	r.searches = union(r.searches, config.Searches)
	for _, option := range config.Options {
		text := option.Name
		if option.Value != nil && *option.Value != "" {
			text += ":" + *option.Value
		}
		r.options = slices.DeleteFunc(r.options, func(other string) bool {
			name, _, _ := strings.Cut(other, ":")
			return name == option.Name
		})
		r.options = append(r.options, text)
	}
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (r resolver) String() string {
	var out strings.Builder
	if len(r.searches) > 0 {
		out.WriteString("search " + strings.Join(r.searches, " ") + "\n")
	}
	for _, nameserver := range r.nameservers {
		out.WriteString("nameserver " + nameserver + "\n")
	}
	if len(r.options) > 0 {
		out.WriteString("options " + strings.Join(r.options, " ") + "\n")
	}
	return out.String()
}
