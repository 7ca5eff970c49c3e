package service

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// frontend is an address for clients of a Service's port.
type frontend struct {
	// node is the node whose addresses all have the port. It is empty for a cluster IP of the hub.
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

// backends are the endpoints of a frontend.
type backends struct {
	endpoints []netip.AddrPort // never empty in the result of plan
	// local maps a node to the endpoints for its clients (internalTrafficPolicy: Local), or is nil.
	local map[string][]netip.AddrPort
	// affinity is how long a client keeps its endpoint. 0 means no session affinity.
	affinity time.Duration
}

// plan returns the frontends of a Service that have endpoints. nodes lists all nodes. The errors
// name the ports that cannot be served. The result contains all other ports.
func plan(service *corev1.Service, from []*discoveryv1.EndpointSlice, nodes []string) (map[frontend]backends, []error) {
	result := map[frontend]backends{}
	var problems []error
	add := func(f frontend, b backends) {
		if len(b.endpoints) > 0 { // without endpoints, the client's connection is refused
			result[f] = b
		}
	}
	ip, hasIP := clusterIP(service)
	for _, port := range service.Spec.Ports {
		if !hasIP && port.NodePort == 0 {
			continue
		}
		protocol := protocolOf(port)
		if protocol != corev1.ProtocolTCP && protocol != corev1.ProtocolUDP {
			problems = append(problems, fmt.Errorf("port %d: protocol %s is not supported", port.Port, protocol))
			continue
		}
		endpoints := endpointsOf(port, from)
		if hasIP {
			if !network.Services.Contains(ip) {
				problems = append(problems, fmt.Errorf("port %d: %s is not in %s", port.Port, ip, network.Services))
			} else if number, ok := portNumber(port.Port); ok {
				add(frontend{protocol: protocol, address: netip.AddrPortFrom(ip, number)}, clusterIPBackends(service, endpoints, nodes))
			}
		}
		if number, ok := portNumber(port.NodePort); ok {
			for _, node := range nodes {
				f := frontend{node: node, protocol: protocol, address: netip.AddrPortFrom(netip.IPv4Unspecified(), number)}
				add(f, nodePortBackends(service, endpoints, node))
			}
		}
	}
	return result, problems
}

// clusterIPBackends applies internalTrafficPolicy
// (https://kubernetes.io/docs/concepts/services-networking/service-traffic-policy/).
func clusterIPBackends(service *corev1.Service, endpoints []endpoint, nodes []string) backends {
	b := backends{endpoints: usable(endpoints), affinity: affinityOf(service)}
	if ptr.Deref(service.Spec.InternalTrafficPolicy, "") == corev1.ServiceInternalTrafficPolicyLocal {
		b.local = map[string][]netip.AddrPort{}
		for _, node := range nodes {
			b.local[node] = usable(onNode(endpoints, node))
		}
	}
	return b
}

// nodePortBackends applies externalTrafficPolicy
// (https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip).
func nodePortBackends(service *corev1.Service, endpoints []endpoint, node string) backends {
	if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		endpoints = onNode(endpoints, node)
	}
	return backends{endpoints: usable(endpoints), affinity: affinityOf(service)}
}

// clusterIP returns the IPv4 cluster IP of a Service, if it has one.
func clusterIP(service *corev1.Service) (netip.Addr, bool) {
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

// affinityOf returns the session affinity timeout
// (https://kubernetes.io/docs/reference/networking/virtual-ips/#session-affinity).
func affinityOf(service *corev1.Service) time.Duration {
	if service.Spec.SessionAffinity != corev1.ServiceAffinityClientIP {
		return 0
	}
	seconds := corev1.DefaultClientIPServiceAffinitySeconds
	if c := service.Spec.SessionAffinityConfig; c != nil && c.ClientIP != nil {
		seconds = ptr.Deref(c.ClientIP.TimeoutSeconds, seconds)
	}
	return time.Duration(seconds) * time.Second
}

// endpoint is one endpoint of a Service port. A terminating endpoint still accepts connections.
type endpoint struct {
	address            netip.AddrPort
	node               string
	ready, terminating bool
}

// endpointsOf returns the ready and terminating endpoints of one port, sorted by address.
func endpointsOf(port corev1.ServicePort, from []*discoveryv1.EndpointSlice) []endpoint {
	var all []endpoint
	seen := map[netip.AddrPort]bool{}
	for _, slice := range from {
		number, ok := portIn(slice, port)
		if !ok {
			continue
		}
		for i := range slice.Endpoints {
			e, ok := parseEndpoint(&slice.Endpoints[i], number)
			// Two slices can contain the same endpoint for a short time:
			// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#duplicate-endpoints
			if ok && !seen[e.address] {
				seen[e.address] = true
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b endpoint) int { return a.address.Compare(b.address) })
	return all
}

// portIn returns the port number in the slice for a Service port. Both have the same name. The
// EndpointSlice controller has already resolved targetPort.
func portIn(slice *discoveryv1.EndpointSlice, port corev1.ServicePort) (number uint16, ok bool) {
	for _, p := range slice.Ports {
		if ptr.Deref(p.Name, "") == port.Name && ptr.Deref(p.Protocol, corev1.ProtocolTCP) == protocolOf(port) && p.Port != nil {
			return portNumber(*p.Port)
		}
	}
	return 0, false
}

// parseEndpoint reports whether an endpoint is ready or terminating. It uses only the first
// address: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
func parseEndpoint(e *discoveryv1.Endpoint, port uint16) (endpoint, bool) {
	if len(e.Addresses) == 0 {
		return endpoint{}, false
	}
	address, err := netip.ParseAddr(e.Addresses[0])
	if err != nil {
		return endpoint{}, false
	}
	ready := ptr.Deref(e.Conditions.Ready, true) // the API defines a missing condition as ready
	result := endpoint{address: netip.AddrPortFrom(address, port), ready: ready, node: ptr.Deref(e.NodeName, "")}
	result.terminating = ptr.Deref(e.Conditions.Serving, result.ready) && ptr.Deref(e.Conditions.Terminating, false)
	return result, result.ready || result.terminating
}

// usable returns the ready endpoints, or the terminating ones if no endpoint is ready
// (https://kubernetes.io/docs/concepts/services-networking/service/#traffic-to-terminating-endpoints).
func usable(all []endpoint) []netip.AddrPort {
	var ready, terminating []netip.AddrPort
	for _, e := range all {
		switch {
		case e.ready:
			ready = append(ready, e.address)
		case e.terminating:
			terminating = append(terminating, e.address)
		}
	}
	if len(ready) == 0 {
		return terminating
	}
	return ready
}

func onNode(all []endpoint, node string) []endpoint {
	return slices.DeleteFunc(slices.Clone(all), func(e endpoint) bool { return e.node != node })
}

func protocolOf(port corev1.ServicePort) corev1.Protocol {
	return cmp.Or(port.Protocol, corev1.ProtocolTCP)
}

func portNumber(n int32) (uint16, bool) {
	if n < 1 || n > math.MaxUint16 {
		return 0, false
	}
	return uint16(n), true
}
