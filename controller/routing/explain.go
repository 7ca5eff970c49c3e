package routing

import (
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// Explain decides like Decide and shows the work: every rule of every host that the request could belong to, in the order
// in which they are considered, and why each won or lost. A request that is refused as malformed has no candidates.
func (t *Table) Explain(r Request) (Decision, []Candidate) {
	tr := t.trace(r)
	if t == nil || tr.path == "" {
		return tr.decision(), nil
	}
	var list []Candidate
	for _, h := range []*virtualHost{t.exact[tr.name], t.wildcard[wildcardSuffix(tr.name)], t.anyHost} {
		if h != nil {
			list = append(list, tr.candidates(h)...)
		}
	}
	for _, r := range []*Route{t.catchAll, t.fallback} {
		if r != nil {
			list = append(list, tr.judge(r))
		}
	}
	return tr.decision(), list
}

// candidates judges the routes of one host, and those that lost their place to them.
func (tr trace) candidates(h *virtualHost) []Candidate {
	var list []Candidate
	for _, r := range h.routes() {
		if h == tr.host {
			list = append(list, tr.judge(r))
			continue
		}
		list = append(list, Candidate{Route: r, Why: hostText(tr.host.name) + " takes the request, and no other host is asked"})
	}
	for _, l := range h.lost {
		list = append(list, Candidate{Route: l.route, Why: "not served: " + l.why})
	}
	return list
}

// judge says why a route won or lost. Who won is not its decision: it is the route that the trace found.
func (tr trace) judge(r *Route) Candidate {
	c := Candidate{Route: r, Won: r == tr.route}
	switch {
	case c.Won && tr.status == 0 && r.PathType == "":
		c.Why = "no rule matches, and it is the first default back-end that is asked"
	case c.Won && tr.status != 0:
		c.Why = "it matches best, but: " + tr.reason
	case c.Won:
		c.Why = "it matches best"
	case r.PathType == "" && tr.route == nil:
		c.Why = "it has no endpoint: " + r.Pool.Reason
	case r.PathType == "":
		c.Why = fmt.Sprintf("%s comes before it", tr.route.match())
	case !r.matches(tr.path):
		c.Why = fmt.Sprintf("%s does not match %s", r.match(), tr.path)
	default:
		c.Why = fmt.Sprintf("it matches, but %s is longer or more exact", tr.route.match())
	}
	return c
}

// matches says whether a rule alone would match a canonical path. It is the rule as the documentation states it; find
// arrives at the same by look-ups.
func (r *Route) matches(path string) bool {
	if r.PathType == networkingv1.PathTypeExact {
		return path == r.canonical
	}
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(r.canonical, "/"))
	return ok && (rest == "" || rest[0] == '/')
}
