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
	// regexes are the routes whose paths are regular expressions, the longest first; patterns finds them by the path as written.
	regexes  []*Route
	patterns map[string]*Route
	// fallback is the default back-end for what no path matches; nil when no Ingress of the host has one.
	fallback *Route
	// lost are the rules that gave way to another one for the same host and path.
	lost []lostRoute
}

// lostRoute is a rule that is not served, and the one that is served instead.
type lostRoute struct {
	route, winner *Route
	why           Reason
}

func newVirtualHost(name string) *virtualHost {
	return &virtualHost{name: name, exact: map[string]*Route{}, prefix: map[string]*Route{}, patterns: map[string]*Route{}}
}

// find returns the route for a canonical path, or nil. The Exact route comes first: it matches the whole path, so no
// Prefix can be longer. The rest go by the length of the path as it is written, regular expressions too, as ingress-nginx
// sorts them: so "/api/(.*)" comes before "/api", and before "/". At the same length, plain text comes first.
// text is what regular expressions are matched with: the path, or a reading of it.
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

// findPrefix tries the prefixes from the longest to the shortest, element by element.
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

// slot returns the map and the key under which r is found. Two routes with the same slot match the same requests.
func (h *virtualHost) slot(r *Route) (map[string]*Route, string) {
	switch {
	case r.PathType == networkingv1.PathTypeExact:
		return h.exact, r.canonical
	case r.Regex:
		return h.patterns, r.canonical
	}
	return h.prefix, strings.TrimSuffix(r.canonical, "/")
}

// rival returns the route that has the same path as r and takes it for something else: one of two Ingresses makes it a regular
// expression, and the other does not. For Kubernetes they claim the same path.
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

// add puts r into its slot. If that is taken, one of the two loses and is returned with the reason; the caller adds
// routes from the oldest Ingress to the youngest, so the one that is there wins unless the other's path is longer: of
// the Prefixes "/foo" and "/foo/", which match the same, the documentation prefers the longer one.
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

// sortRegexes brings the regular expressions into the order in which find asks them. Those of the same length stay in the order in
// which they came in, the oldest Ingress first.
func (h *virtualHost) sortRegexes() {
	slices.SortStableFunc(h.regexes, func(a, b *Route) int { return cmp.Compare(len(b.canonical), len(a.canonical)) })
}

// routes returns the host's routes in the order in which they are preferred: the longest path first, Exact before Prefix at the
// same length, the default back-end last. Beside a regular expression, which may be long and match little, Exact comes first at
// any length.
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
