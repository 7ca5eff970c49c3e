package podnet

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Peer is the part of a Node that the pod network uses.
type Peer struct {
	// Name is the name of the Node object.
	Name string
	// Addresses are the node's internal addresses, at most one per IP family.
	Addresses []netip.Addr
	// PodRanges are the node's pod ranges, at most one per IP family. They are empty until
	// kube-controller-manager assigns them.
	PodRanges []netip.Prefix
}

// PeerOf converts a Node. The error names the node and the invalid field. Missing fields are
// allowed.
func PeerOf(node *corev1.Node) (Peer, error) {
	peer := Peer{Name: node.Name}
	for _, address := range node.Status.Addresses {
		if address.Type != corev1.NodeInternalIP {
			continue
		}
		parsed, err := netip.ParseAddr(address.Address)
		if err != nil {
			return Peer{}, fmt.Errorf("node %s: status.addresses: %w", node.Name, err)
		}
		peer.Addresses = append(peer.Addresses, parsed.Unmap())
	}
	for _, cidr := range podCIDRs(node) {
		parsed, err := netip.ParsePrefix(cidr)
		if err != nil {
			return Peer{}, fmt.Errorf("node %s: spec.podCIDRs: %w", node.Name, err)
		}
		peer.PodRanges = append(peer.PodRanges, parsed.Masked())
	}
	return peer, nil
}

// podCIDRs prefers podCIDRs, which has one range per IP family. Clusters without dual stack might
// set only podCIDR.
func podCIDRs(node *corev1.Node) []string {
	if len(node.Spec.PodCIDRs) > 0 {
		return node.Spec.PodCIDRs
	}
	if node.Spec.PodCIDR != "" {
		return []string{node.Spec.PodCIDR}
	}
	return nil
}

// address returns the peer's address in the IP family of the range.
func (p Peer) address(podRange netip.Prefix) (netip.Addr, bool) {
	for _, address := range p.Addresses {
		if address.Is4() == podRange.Addr().Is4() {
			return address, true
		}
	}
	return netip.Addr{}, false
}

// Route is the route to the pods of a node.
type Route struct {
	To  netip.Prefix // a peer's pod range
	Via netip.Addr   // the peer's internal address
}

func (r Route) String() string { return fmt.Sprintf("%s via %s", r.To, r.Via) }

// Routes returns the routes of the node self, sorted by range: one for each pod range of the other
// peers that have an address in the same IP family.
func Routes(self string, peers []Peer) []Route {
	var routes []Route
	for _, peer := range peers {
		if peer.Name == self {
			continue
		}
		for _, podRange := range peer.PodRanges {
			if via, ok := peer.address(podRange); ok {
				routes = append(routes, Route{To: podRange, Via: via})
			}
		}
	}
	slices.SortFunc(routes, func(a, b Route) int {
		return cmp.Or(a.To.Addr().Compare(b.To.Addr()), cmp.Compare(a.To.Bits(), b.To.Bits()), a.Via.Compare(b.Via))
	})
	return slices.Compact(routes)
}

// Difference returns the routes to add and to remove. A route whose next hop changed, for example
// after a node restarted with another address, is in both.
func Difference(present, desired []Route) (add, remove []Route) {
	for _, route := range desired {
		if !slices.Contains(present, route) {
			add = append(add, route)
		}
	}
	for _, route := range present {
		if !slices.Contains(desired, route) {
			remove = append(remove, route)
		}
	}
	return add, remove
}
