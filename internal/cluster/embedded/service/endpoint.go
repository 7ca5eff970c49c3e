package service

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// endpoint is who may answer for a port of a Service.
type endpoint struct {
	address netip.AddrPort
	node    string
	// ready ones answer; leaving ones only where no ready one is left.
	ready, leaving bool
}

// endpointsOf are the endpoints of one port, without those that can never be asked, sorted by address.
func endpointsOf(port corev1.ServicePort, from []*discoveryv1.EndpointSlice) []endpoint {
	var all []endpoint
	seen := map[netip.AddrPort]bool{}
	for _, slice := range from {
		number, ok := portIn(slice, port)
		if !ok {
			continue
		}
		for i := range slice.Endpoints {
			e, ok := read(&slice.Endpoints[i], number)
			// Controllers may leave an endpoint in two slices for a moment:
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

// portIn is the number that endpoints of the slice have for a port. Names tell which is which: the target port, be it named
// or not, was resolved when the slice was made.
func portIn(slice *discoveryv1.EndpointSlice, port corev1.ServicePort) (number uint16, ok bool) {
	for _, candidate := range slice.Ports {
		name, protocol := "", corev1.ProtocolTCP
		if candidate.Name != nil {
			name = *candidate.Name
		}
		if candidate.Protocol != nil {
			protocol = *candidate.Protocol
		}
		if name == port.Name && protocol == protocolOf(port) && candidate.Port != nil {
			return portNumber(*candidate.Port)
		}
	}
	return 0, false
}

// read takes an endpoint out of a slice. The first address is the one, and the API says to ignore others:
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
func read(e *discoveryv1.Endpoint, port uint16) (endpoint, bool) {
	if len(e.Addresses) == 0 {
		return endpoint{}, false
	}
	address, err := netip.ParseAddr(e.Addresses[0])
	if err != nil {
		return endpoint{}, false
	}
	result := endpoint{address: netip.AddrPortFrom(address, port), ready: isReady(e)}
	if e.NodeName != nil {
		result.node = *e.NodeName
	}
	serving := result.ready
	if e.Conditions.Serving != nil {
		serving = *e.Conditions.Serving
	}
	result.leaving = serving && e.Conditions.Terminating != nil && *e.Conditions.Terminating
	return result, result.ready || result.leaving
}

// isReady is true where nobody says, as the API has it.
func isReady(e *discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }

// fit are the endpoints to ask: the ready ones, or those that are leaving where no ready one is left
// (https://kubernetes.io/docs/concepts/services-networking/service/#traffic-to-terminating-endpoints).
func fit(all []endpoint) []netip.AddrPort {
	var ready, leaving []netip.AddrPort
	for _, e := range all {
		switch {
		case e.ready:
			ready = append(ready, e.address)
		case e.leaving:
			leaving = append(leaving, e.address)
		}
	}
	if len(ready) == 0 {
		return leaving
	}
	return ready
}

// onNode are the endpoints that a node runs.
func onNode(all []endpoint, node string) []endpoint {
	var local []endpoint
	for _, e := range all {
		if e.node == node {
			local = append(local, e)
		}
	}
	return local
}

func protocolOf(port corev1.ServicePort) corev1.Protocol {
	if port.Protocol == "" {
		return corev1.ProtocolTCP
	}
	return port.Protocol
}

func portNumber(n int32) (uint16, bool) {
	const highest = 1<<16 - 1
	if n < 1 || n > highest {
		return 0, false
	}
	return uint16(n), true
}
