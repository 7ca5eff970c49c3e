package podspec

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// What the C libraries take of a resolv.conf, and the API server allows
// (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#dns-search-domain-list-limits).
const (
	maxNameservers = 3
	maxSearches    = 32
)

// resolver is a resolv.conf(5).
type resolver struct {
	nameservers, searches, options []string
}

// resolver follows https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy. A node has the
// cluster's name server for its own: there is no other in the cluster's network.
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

// add appends what the manifest has in addition; its options replace those of the same name.
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
