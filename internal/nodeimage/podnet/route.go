package podnet

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Route sends packets for one node's pods to that node.
type Route struct {
	To  netip.Prefix // a peer's pod range
	Via netip.Addr   // that peer's internal address, on the link all nodes share
}

func (r Route) String() string { return fmt.Sprintf("%s via %s", r.To, r.Via) }

// Routes returns the routes that the node called self should have: one for each pod range
// of every other peer whose address of the same family is known, ordered by range.
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

// Difference compares the routes that are there with those that should be. A route whose
// next hop changed, as when a node comes back with another address, is in both results.
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
