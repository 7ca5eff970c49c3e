package podnet

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// Peer is what the pod network needs to know about one node.
type Peer struct {
	// Name is the name of the Node object.
	Name string
	// Addresses are the node's internal addresses, at most one for each IP family.
	Addresses []netip.Addr
	// PodRanges are the ranges the node takes pod addresses from, at most one for each IP
	// family. Empty until the controller manager has assigned them.
	PodRanges []netip.Prefix
}

// PeerOf reads a Node. A field that cannot be read is an error that names the node and
// the field; a field that is not there yet is no error, the peer then lacks it.
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

// podCIDRs prefers the list, which has one range for each family; the single field is
// what clusters without dual stack may set alone.
func podCIDRs(node *corev1.Node) []string {
	if len(node.Spec.PodCIDRs) > 0 {
		return node.Spec.PodCIDRs
	}
	if node.Spec.PodCIDR != "" {
		return []string{node.Spec.PodCIDR}
	}
	return nil
}

// address returns the peer's address of the family of the given range.
func (p Peer) address(podRange netip.Prefix) (netip.Addr, bool) {
	for _, address := range p.Addresses {
		if address.Is4() == podRange.Addr().Is4() {
			return address, true
		}
	}
	return netip.Addr{}, false
}
