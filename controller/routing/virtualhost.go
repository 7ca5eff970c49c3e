package routing

import (
	"cmp"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// virtualHost has the routes of one host, merged from all Ingresses with rules for it.
type virtualHost struct {
	// name is "shop.test", "*.shop.test", or "" for all other hosts.
	name string
	// exact and prefix find a route by its canonical path. The keys of prefix have no last slash,
	// so the key of the Prefix "/" is "".
	exact, prefix map[string]*Route
	// longest is the length of the longest key in prefix. Without it, a request with a million
	// slashes would cost a million look-ups.
	longest int
	// regexes are the routes with regular expressions, the longest first. patterns finds a route by
	// its path as written.
	regexes  []*Route
	patterns map[string]*Route
	// fallback is the default backend of the host, or nil if there is none.
	fallback *Route
	// lost are the rules that lost to a different rule with the same host and path.
	lost []lostRoute
}

// lostRoute is a rule that is not served, with the rule that is served instead.
type lostRoute struct {
	route, winner *Route
	why           Reason
}

func newVirtualHost(name string) *virtualHost {
	return &virtualHost{name: name, exact: map[string]*Route{}, prefix: map[string]*Route{}, patterns: map[string]*Route{}}
}

// find returns the route for a canonical path, or nil if no route matches. The Exact route comes
// first: it matches the whole path, so no Prefix can be longer. The others, including regular
// expressions, are ordered by the length of the path as written, as in ingress-nginx: "/api/(.*)"
// comes before "/api" and "/". At the same length, plain text comes first. Regular expressions
// match text, which is the path or a different reading of it.
func (h *virtualHost) find(path, text string) *Route {
	if r := h.exact[path]; r != nil {
		return r
	}
	best := h.findPrefix(path)
	for _, r := range h.regexes {
		if best != nil && len(best.canonical) >= len(r.canonical) {
			break
		}
		if r.pattern.MatchString(text) {
			return r
		}
	}
	return best
}

// findPrefix tries the prefixes from the longest to the shortest, by path element.
func (h *virtualHost) findPrefix(path string) *Route {
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

// slot returns the map for r, and its key there. Routes with the same slot match the same requests.
func (h *virtualHost) slot(r *Route) (map[string]*Route, string) {
	switch {
	case r.PathType == networkingv1.PathTypeExact:
		return h.exact, r.canonical
	case r.Regex:
		return h.patterns, r.canonical
	}
	return h.prefix, strings.TrimSuffix(r.canonical, "/")
}

// rival returns the route with the same path as r, if only one of the two is a regular expression
// and neither is Exact. For Kubernetes, the two rules have the same path.
func (h *virtualHost) rival(r *Route) *Route {
	if r.PathType == networkingv1.PathTypeExact {
		return nil
	}
	rival := h.patterns[r.Path]
	if r.Regex {
		rival = h.prefix[strings.TrimSuffix(r.Path, "/")]
	}
	if rival != nil && rival.Path == r.Path && rival.Regex != r.Regex {
		return rival
	}
	return nil
}

// add puts r into its slot. If the slot has a route already, add returns the one that loses. The
// caller adds routes from the oldest Ingress to the youngest, so the first one wins unless the
// other path is longer. The Prefixes "/foo" and "/foo/" match the same requests, and the Ingress
// documentation prefers the longer path.
func (h *virtualHost) add(r *Route) (lostRoute, bool) {
	if rival := h.rival(r); rival != nil {
		return h.lose(r, rival), true
	}
	routes, key := h.slot(r)
	there := routes[key]
	if there != nil && len(r.canonical) <= len(there.canonical) {
		return h.lose(r, there), true
	}
	routes[key] = r
	switch {
	case r.Regex:
		h.regexes = append(h.regexes, r)
	case r.PathType != networkingv1.PathTypeExact:
		h.longest = max(h.longest, len(key))
	}
	if there != nil {
		return h.lose(there, r), true
	}
	return lostRoute{}, false
}

func (h *virtualHost) lose(loser, winner *Route) lostRoute {
	cause, by := RuleTakenByOlder, winner.Ingress.String()
	switch {
	case loser.Ingress == winner.Ingress:
		cause, by = RuleTwice, winner.Field
	case len(winner.canonical) > len(loser.canonical):
		cause = RuleTakenByLonger
	}
	l := lostRoute{loser, winner, Because(cause, "rule", loser.match(), "host", hostText(h.name), "by", by, "winner", winner.match())}
	h.lost = append(h.lost, l)
	return l
}

// sortRegexes sorts regular expressions in the order of find. Expressions of the same length stay
// in order, the oldest Ingress first.
func (h *virtualHost) sortRegexes() {
	slices.SortStableFunc(h.regexes, func(a, b *Route) int { return cmp.Compare(len(b.canonical), len(a.canonical)) })
}

// routes returns the routes in the order of precedence: the longest path first, Exact before Prefix
// at the same length, the default backend last. If the host has regular expressions, all Exact
// paths come first, because a long expression can match few characters.
func (h *virtualHost) routes() []*Route {
	all := make([]*Route, 0, len(h.exact)+len(h.prefix)+len(h.regexes)+1)
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
	if len(h.regexes) > 0 {
		all = append(all, h.regexes...)
		slices.SortStableFunc(all, func(a, b *Route) int {
			return cmp.Or(compareExact(a, b), cmp.Compare(len(b.canonical), len(a.canonical)))
		})
	}
	if h.fallback != nil {
		all = append(all, h.fallback)
	}
	return all
}

func compareExact(a, b *Route) int {
	switch exact := networkingv1.PathTypeExact; {
	case a.PathType == exact && b.PathType != exact:
		return -1
	case a.PathType != exact && b.PathType == exact:
		return 1
	}
	return 0
}

// ruleFor returns the route of a rule with this path and path type, as written in another Ingress.
func (h *virtualHost) ruleFor(written string, pathType networkingv1.PathType) *Route {
	if h == nil {
		return nil
	}
	if r := h.patterns[written]; r != nil && r.PathType == pathType {
		return r
	}
	canonical, wrong := rulePath(written)
	if wrong.is() {
		return nil
	}
	routes, key := h.slot(&Route{PathType: pathType, canonical: canonical})
	if r := routes[key]; r != nil && r.PathType == pathType {
		return r
	}
	return nil
}
