package service

import (
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// frontend is where a port of a Service is reached.
type frontend struct {
	// node has the port on all its addresses; empty for a virtual address, which is the hub's.
	node     string
	protocol corev1.Protocol
	address  netip.AddrPort
}

func (f frontend) String() string {
	if f.node == "" {
		return fmt.Sprintf("%s/%s", f.address, f.protocol)
	}
	return fmt.Sprintf("%s:%d/%s", f.node, f.address.Port(), f.protocol)
}

// answer says who answers at a frontend.
type answer struct {
	// endpoints answer anybody. Without any, nobody listens.
	endpoints []netip.AddrPort
	// local, if not nil, answer those who ask from a node (internalTrafficPolicy: Local); by name of the node.
	local map[string][]netip.AddrPort
	// affinity is for how long a client stays with its endpoint; 0 if it does not.
	affinity time.Duration
}

// plan says where a Service is reached and who answers there. Only frontends that somebody answers at are in it. nodes are
// all nodes. The problems are ports that cannot be served; the others are in the plan.
func plan(service *corev1.Service, from []*discoveryv1.EndpointSlice, nodes []string) (map[frontend]answer, []error) {
	result := map[frontend]answer{}
	var problems []error
	virtual, hasVirtual := virtualAddress(service)
	for _, port := range service.Spec.Ports {
		if !hasVirtual && port.NodePort == 0 {
			continue
		}
		if protocol := protocolOf(port); protocol != corev1.ProtocolTCP && protocol != corev1.ProtocolUDP {
			problems = append(problems, fmt.Errorf("port %d: protocol %s is not carried", port.Port, protocol))
			continue
		}
		endpoints := endpointsOf(port, from)
		if hasVirtual {
			if !network.Services.Contains(virtual) {
				problems = append(problems, fmt.Errorf("port %d: %s is not in %s", port.Port, virtual, network.Services))
			} else if number, ok := portNumber(port.Port); ok {
				f := frontend{protocol: protocolOf(port), address: netip.AddrPortFrom(virtual, number)}
				add(result, f, internally(service, endpoints, nodes))
			}
		}
		if number, ok := portNumber(port.NodePort); ok {
			for _, node := range nodes {
				f := frontend{node: node, protocol: protocolOf(port), address: netip.AddrPortFrom(netip.IPv4Unspecified(), number)}
				add(result, f, externally(service, endpoints, node))
			}
		}
	}
	return result, problems
}

// add leaves out what nobody answers at: there a client is refused.
func add(to map[frontend]answer, f frontend, a answer) {
	if len(a.endpoints) > 0 {
		to[f] = a
	}
}

// internally says who answers at a virtual address
// (https://kubernetes.io/docs/concepts/services-networking/service-traffic-policy/).
func internally(service *corev1.Service, endpoints []endpoint, nodes []string) answer {
	a := answer{endpoints: fit(endpoints), affinity: affinityOf(service)}
	if policy := service.Spec.InternalTrafficPolicy; policy != nil && *policy == corev1.ServiceInternalTrafficPolicyLocal {
		a.local = map[string][]netip.AddrPort{}
		for _, node := range nodes {
			a.local[node] = fit(onNode(endpoints, node))
		}
	}
	return a
}

// externally says who answers at a node's port
// (https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip).
func externally(service *corev1.Service, endpoints []endpoint, node string) answer {
	if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		endpoints = onNode(endpoints, node)
	}
	return answer{endpoints: fit(endpoints), affinity: affinityOf(service)}
}

// virtualAddress is a Service's own IPv4 address, if it has one.
func virtualAddress(service *corev1.Service) (netip.Addr, bool) {
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return netip.Addr{}, false
	}
	for _, text := range append([]string{service.Spec.ClusterIP}, service.Spec.ClusterIPs...) {
		if address, err := netip.ParseAddr(text); err == nil && address.Is4() {
			return address, true
		}
	}
	return netip.Addr{}, false
}

// affinityOf is how long a client stays with its endpoint
// (https://kubernetes.io/docs/reference/networking/virtual-ips/#session-affinity).
func affinityOf(service *corev1.Service) time.Duration {
	if service.Spec.SessionAffinity != corev1.ServiceAffinityClientIP {
		return 0
	}
	seconds := corev1.DefaultClientIPServiceAffinitySeconds
	if c := service.Spec.SessionAffinityConfig; c != nil && c.ClientIP != nil && c.ClientIP.TimeoutSeconds != nil {
		seconds = *c.ClientIP.TimeoutSeconds
	}
	return time.Duration(seconds) * time.Second
}
