package service

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// directory is where names come from; *objects is one.
type directory interface {
	service(k key) *corev1.Service
	slicesOf(k key) []*discoveryv1.EndpointSlice
	each(f func(*corev1.Service) bool)
}

// record is what a name has, in the cluster or outside of it.
type record struct {
	address netip.Addr // A
	alias   string     // CNAME: the name it stands for, absolute
	pointer string     // PTR: a name, absolute
	text    string     // TXT
	service *target    // SRV
}

// target is where a port of a Service is: a name, absolute, with its addresses.
type target struct {
	name      string
	port      uint16
	addresses []netip.Addr
}

// names answers questions about names of the cluster, by the specification in
// https://github.com/kubernetes/dns/blob/master/docs/specification.md.
type names struct {
	domain string // absolute, in lower case: "cluster.local."
	directory
}

// schemaVersion is that of the specification.
const schemaVersion = "1.1.0"

// lookup returns what a name has and whether it exists at all: a name without records may exist, because others are below
// it. name is absolute and in lower case.
func (n names) lookup(name string) (records []record, exists bool) {
	if address, ok := reversed(name); ok {
		records = n.pointers(address)
		return records, len(records) > 0
	}
	if name == n.domain {
		return nil, true
	}
	rest, ok := strings.CutSuffix(name, "."+n.domain)
	if !ok {
		return nil, false
	}
	labels := strings.Split(rest, ".")
	slices.Reverse(labels)
	switch labels[0] {
	case "dns-version":
		if len(labels) == 1 {
			return []record{{text: schemaVersion}}, true
		}
	case "svc":
		return n.below(labels[1:])
	case "pod":
		return pods(labels[1:])
	}
	return nil, false
}

// below answers for names under svc: namespace, service, and then either an endpoint or protocol and port.
func (n names) below(labels []string) (records []record, exists bool) {
	switch len(labels) {
	case 0:
		return nil, true
	case 1:
		n.each(func(s *corev1.Service) bool {
			exists = s.Namespace == labels[0]
			return !exists
		})
		return nil, exists
	}
	k := key{labels[0], labels[1]}
	service := n.service(k)
	if service == nil {
		return nil, false
	}
	own := absolute(k, n.domain)
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		if len(labels) > 2 {
			return nil, false
		}
		return []record{{alias: dns.Fqdn(service.Spec.ExternalName)}}, true
	}
	all := n.targets(service, own)
	switch rest := labels[2:]; {
	case len(rest) == 0:
		// The specification wants NXDOMAIN for a headless Service without ready endpoints.
		return addressesOf(all), len(all) > 0
	case strings.HasPrefix(rest[0], "_"):
		return ports(all, rest)
	case len(rest) == 1 && isHeadless(service):
		host := rest[0] + "." + own
		mine := slices.DeleteFunc(all, func(t namedTarget) bool { return t.name != host })
		return addressesOf(mine), len(mine) > 0
	}
	return nil, false
}

// namedTarget is a target with the name and the protocol of its port.
type namedTarget struct {
	target
	portName string
	protocol corev1.Protocol
}

// targets are the ports of a Service: at its own address, or at each of its ready endpoints. One without a port stands for an
// address that has none.
func (n names) targets(service *corev1.Service, own string) []namedTarget {
	if !isHeadless(service) {
		address, ok := virtualAddress(service)
		if !ok {
			return nil
		}
		result := []namedTarget{{target: target{name: own, addresses: []netip.Addr{address}}}}
		for _, port := range service.Spec.Ports {
			if number, ok := portNumber(port.Port); ok {
				result = append(result, namedTarget{target{own, number, []netip.Addr{address}}, port.Name, protocolOf(port)})
			}
		}
		return result
	}
	var result []namedTarget
	for _, slice := range n.slicesOf(key{service.Namespace, service.Name}) {
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if len(e.Addresses) == 0 || !isReady(e) {
				continue
			}
			address, err := netip.ParseAddr(e.Addresses[0])
			if err != nil {
				continue
			}
			result = append(result, endpointTargets(hostOf(e, address)+"."+own, address, slice.Ports)...)
		}
	}
	return result
}

// endpointTargets are the ports of one endpoint.
func endpointTargets(name string, address netip.Addr, ports []discoveryv1.EndpointPort) []namedTarget {
	result := []namedTarget{{target: target{name: name, addresses: []netip.Addr{address}}}}
	for _, port := range ports {
		if port.Port == nil || port.Name == nil {
			continue
		}
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		if number, ok := portNumber(*port.Port); ok {
			result = append(result, namedTarget{target{name, number, []netip.Addr{address}}, *port.Name, protocol})
		}
	}
	return result
}

// hostOf is the first label of an endpoint's name: its host name, or else its address with dashes.
func hostOf(e *discoveryv1.Endpoint, address netip.Addr) string {
	if e.Hostname != nil && *e.Hostname != "" {
		return strings.ToLower(*e.Hostname)
	}
	return strings.NewReplacer(".", "-", ":", "-").Replace(address.String())
}

// ports answers for _PORT._PROTOCOL under a Service: labels are the protocol and then the port.
func ports(all []namedTarget, labels []string) (records []record, exists bool) {
	const wanted = 2
	if len(labels) > wanted {
		return nil, false
	}
	for _, t := range all {
		if t.portName == "" || "_"+strings.ToLower(string(t.protocol)) != labels[0] {
			continue
		}
		if len(labels) == 1 {
			return nil, true // ports are below it
		}
		if "_"+strings.ToLower(t.portName) == labels[1] {
			records = append(records, record{service: &t.target})
		}
	}
	return records, len(records) > 0
}

// addressesOf are the addresses of targets, each once.
func addressesOf(all []namedTarget) []record {
	var records []record
	seen := map[netip.Addr]bool{}
	for _, t := range all {
		for _, address := range t.addresses {
			if !seen[address] {
				seen[address] = true
				records = append(records, record{address: address})
			}
		}
	}
	return records
}

// pods answers for A-B-C-D.NAMESPACE.pod without asking whether there is such a pod, as kubeadm's CoreDNS does.
func pods(labels []string) (records []record, exists bool) {
	const namespaceAndPod = 2
	if len(labels) < namespaceAndPod {
		return nil, true
	}
	address, err := netip.ParseAddr(strings.ReplaceAll(labels[1], "-", "."))
	if err != nil || len(labels) > namespaceAndPod || !address.Is4() {
		return nil, false
	}
	return []record{{address: address}}, true
}

// pointers are the names of an address: of the Service that has it, or of endpoints of headless ones.
func (n names) pointers(address netip.Addr) []record {
	var records []record
	n.each(func(service *corev1.Service) bool {
		own := absolute(key{service.Namespace, service.Name}, n.domain)
		for _, t := range n.targets(service, own) {
			r := record{pointer: t.name}
			if t.addresses[0] == address && !slices.Contains(records, r) {
				records = append(records, r)
			}
		}
		return true
	})
	return records
}

// reversed reads a name such as 10.0.96.10.in-addr.arpa (RFC 1035, 3.5).
func reversed(name string) (netip.Addr, bool) {
	text, ok := strings.CutSuffix(name, ".in-addr.arpa.")
	if !ok {
		return netip.Addr{}, false
	}
	labels := strings.Split(text, ".")
	slices.Reverse(labels)
	address, err := netip.ParseAddr(strings.Join(labels, "."))
	return address, err == nil && address.Is4()
}

func isHeadless(service *corev1.Service) bool { return service.Spec.ClusterIP == corev1.ClusterIPNone }

func absolute(k key, domain string) string { return k.name + "." + k.namespace + ".svc." + domain }
