package routing

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// candidate is an address in an EndpointSlice for the wanted port, with its endpoint's condition.
type candidate struct {
	Endpoint
	condition condition
}

// condition orders candidates. A lower value is better.
type condition int

const (
	ready condition = iota
	// draining endpoints belong to terminating pods that still serve. They get requests only if no
	// endpoint is ready, as in kube-proxy (KEP-1669, "proxy terminating endpoints").
	draining
	unready
)

// conditionOf reads an endpoint's conditions. Absent ones mean ready, serving, and not terminating:
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions. A
// terminating pod is not ready, even if its Service publishes unready addresses, because another
// pod might soon get its address.
func conditionOf(c discoveryv1.EndpointConditions) condition {
	isTrue := func(b *bool, absent bool) bool {
		if b == nil {
			return absent
		}
		return *b
	}
	switch terminating := isTrue(c.Terminating, false); {
	case !terminating && isTrue(c.Ready, true):
		return ready
	case terminating && isTrue(c.Serving, true):
		return draining
	default:
		return unready
	}
}

// candidates returns the addresses of one Service port. The port number comes from the slice, not
// from the Service: a named target port can differ between pods, which are then in different
// slices.
func candidates(list []*discoveryv1.EndpointSlice, port corev1.ServicePort, found *problems) []candidate {
	var all []candidate
	for _, slice := range list {
		if slice.AddressType != discoveryv1.AddressTypeIPv4 && slice.AddressType != discoveryv1.AddressTypeIPv6 {
			found.add(refOf("EndpointSlice", slice), "addressType", Because(AddressTypeUnknown, "type", string(slice.AddressType)))
			continue
		}
		number, ok := slicePort(slice, port)
		if !ok {
			continue
		}
		for i := range slice.Endpoints {
			c, wrong := newCandidate(slice, &slice.Endpoints[i], number)
			if wrong.is() {
				found.add(refOf("EndpointSlice", slice), fmt.Sprintf("endpoints[%d].addresses[0]", i), wrong)
				continue
			}
			all = append(all, c)
		}
	}
	return all
}

// slicePort finds the port in a slice with the name of the Service port, which can be empty.
func slicePort(slice *discoveryv1.EndpointSlice, port corev1.ServicePort) (uint16, bool) {
	for _, p := range slice.Ports {
		name, protocol := "", corev1.ProtocolTCP
		if p.Name != nil {
			name = *p.Name
		}
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		if name == port.Name && protocol == corev1.ProtocolTCP && p.Port != nil && *p.Port > 0 && *p.Port < 1<<16 {
			return uint16(*p.Port), true
		}
	}
	return 0, false
}

// newCandidate uses only the first address, as kube-proxy does: the API defines no meaning for
// others. It refuses addresses that never belong to a pod. A manual slice with 127.0.0.1 or
// 169.254.169.254 could otherwise expose the controller's own ports or the cloud's metadata
// service.
func newCandidate(slice *discoveryv1.EndpointSlice, e *discoveryv1.Endpoint, port uint16) (candidate, Reason) {
	if len(e.Addresses) == 0 {
		return candidate{}, Because(AddressMissing)
	}
	addr, err := netip.ParseAddr(e.Addresses[0])
	if err != nil || addr.Zone() != "" {
		return candidate{}, Because(AddressInvalid, "address", e.Addresses[0])
	}
	addr = addr.Unmap()
	if addr.Is4() != (slice.AddressType == discoveryv1.AddressTypeIPv4) {
		return candidate{}, Because(AddressOtherFamily, "address", addr.String(), "type", string(slice.AddressType))
	}
	if neverPod(addr) {
		return candidate{}, Because(AddressRefused, "address", addr.String())
	}
	c := candidate{Endpoint: Endpoint{Address: netip.AddrPortFrom(addr, port)}, condition: conditionOf(e.Conditions)}
	if ref := e.TargetRef; ref != nil && ref.Kind == "Pod" {
		c.Pod = types.NamespacedName{Namespace: cmp.Or(ref.Namespace, slice.Namespace), Name: ref.Name}
	}
	if e.NodeName != nil {
		c.Node = *e.NodeName
	}
	return c, Reason{}
}

// neverPod reports whether an address never belongs to a pod or a Service.
func neverPod(addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsUnspecified() || addr.IsMulticast()
}

// serving selects the endpoints that get requests, sorted by address: the ready ones, or the
// draining ones if there is no other. It returns each address once, because two slices can overlap
// (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#duplicate-endpoints),
// and each pod once. A pod of a dual-stack Service is in a slice of each family, and with both
// addresses, it would get twice its share. So serving uses its address in the Service's first
// family. allDraining is set if no endpoint is ready.
func serving(all []candidate, first corev1.IPFamily) (endpoints []Endpoint, allDraining bool) {
	if len(all) == 0 {
		return nil, false
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(a.condition, b.condition),
			cmp.Compare(familyRank(a, first), familyRank(b, first)),
			a.Address.Compare(b.Address),
			cmp.Compare(a.Pod.String(), b.Pod.String()),
			cmp.Compare(a.Node, b.Node),
		)
	})
	best := all[0].condition
	if best == unready {
		return nil, false
	}
	addresses, pods := map[netip.AddrPort]bool{}, map[types.NamespacedName]bool{}
	for _, c := range all {
		if c.condition != best {
			break
		}
		known := c.Pod != types.NamespacedName{}
		if addresses[c.Address] || known && pods[c.Pod] {
			continue
		}
		addresses[c.Address], pods[c.Pod] = true, known
		endpoints = append(endpoints, c.Endpoint)
	}
	slices.SortFunc(endpoints, func(a, b Endpoint) int { return a.Address.Compare(b.Address) })
	return endpoints, best == draining
}

func familyRank(c candidate, first corev1.IPFamily) int {
	if c.Address.Addr().Is4() == (first != corev1.IPv6Protocol) {
		return 0
	}
	return 1
}
