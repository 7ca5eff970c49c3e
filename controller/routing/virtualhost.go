package routing

import (
	"cmp"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// virtualHost holds the routes of one host: those of all Ingresses that have rules for it, merged.
type virtualHost struct {
	// name is "shop.test", "*.shop.test" or "" for requests that no other host takes.
	name string
	// exact and prefix find a route by the canonical path; prefix by the path without its last slash, so that the Prefix
	// "/" is under "".
	exact, prefix map[string]*Route
	// longest is the length of the longest key in prefix. Without this bound, a request with a million slashes would
	// cost a million look-ups.
	longest int
	// fallback is the default back-end for what no path matches; nil when no Ingress of the host has one.
	fallback *Route
	// lost are the rules that gave way to another one for the same host and path.
	lost []lostRoute
}

// lostRoute is a rule that is not served, and the one that is served instead.
type lostRoute struct {
	route, winner *Route
	why           string
}

func newVirtualHost(name string) *virtualHost {
	return &virtualHost{name: name, exact: map[string]*Route{}, prefix: map[string]*Route{}}
}

// find returns the route for a canonical path, or nil. The Exact route comes first: it matches the whole path, so no
// Prefix can be longer. Then the prefixes are tried from the longest to the shortest, element by element.
func (h *virtualHost) find(path string) *Route {
	if r := h.exact[path]; r != nil {
		return r
	}
	for end := len(path); end >= 0; end = strings.LastIndexByte(path[:end], '/') {
		if end > h.longest {
			continue
		}
		if r := h.prefix[path[:end]]; r != nil {
			return r
		}
	}
	return nil
}

// slot returns the map and the key under which r is found. Two routes with the same slot match the same requests.
func (h *virtualHost) slot(r *Route) (map[string]*Route, string) {
	if r.PathType == networkingv1.PathTypeExact {
		return h.exact, r.canonical
	}
	return h.prefix, strings.TrimSuffix(r.canonical, "/")
}

// add puts r into its slot. If that is taken, one of the two loses and is returned with the reason; the caller adds
// routes from the oldest Ingress to the youngest, so the one that is there wins unless the other's path is longer: of
// the Prefixes "/foo" and "/foo/", which match the same, the documentation prefers the longer one.
func (h *virtualHost) add(r *Route) (lostRoute, bool) {
	routes, key := h.slot(r)
	there := routes[key]
	if there != nil && len(r.canonical) <= len(there.canonical) {
		return h.lose(r, there), true
	}
	routes[key] = r
	if r.PathType != networkingv1.PathTypeExact {
		h.longest = max(h.longest, len(key))
	}
	if there != nil {
		return h.lose(there, r), true
	}
	return lostRoute{}, false
}

func (h *virtualHost) lose(loser, winner *Route) lostRoute {
	l := lostRoute{route: loser, winner: winner, why: "ingress " + winner.Ingress.String() + " has " + winner.match()}
	switch {
	case loser.Ingress == winner.Ingress:
		l.why = winner.Field + " of the same Ingress has " + winner.match()
	case len(winner.canonical) > len(loser.canonical):
		l.why += ", which is longer and matches the same"
	default:
		l.why += " and is older, or comes first by name"
	}
	h.lost = append(h.lost, l)
	return l
}

// routes returns the host's routes in the order in which they are preferred: the longest path first, Exact before Prefix,
// the default back-end last.
func (h *virtualHost) routes() []*Route {
	all := make([]*Route, 0, len(h.exact)+len(h.prefix)+1)
	for _, r := range h.exact {
		all = append(all, r)
	}
	for _, r := range h.prefix {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Route) int {
		return cmp.Or(
			cmp.Compare(len(b.canonical), len(a.canonical)),
			cmp.Compare(a.canonical, b.canonical),
			cmp.Compare(a.PathType, b.PathType), // Exact, ImplementationSpecific, Prefix
		)
	})
	if h.fallback != nil {
		all = append(all, h.fallback)
	}
	return all
}
