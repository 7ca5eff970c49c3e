package routing

import (
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// Explain decides like Decide and shows the work: every rule of every host that the request could belong to, in the order
// in which they are considered, and why each won or lost; after the one that won, its canaries. A request that is refused as
// malformed has no candidates.
func (t *Table) Explain(r Request) (Decision, []Candidate) {
	if t == nil {
		t = &Table{}
	}
	tr := t.trace(&r)
	e := explanation{trace: &tr, request: &r, decision: t.decide(&tr, &r)}
	if tr.path == "" {
		return e.decision, nil
	}
	for _, h := range []*virtualHost{t.exact[tr.name], t.wildcard[wildcardSuffix(tr.name)], t.anyHost} {
		if h != nil {
			e.addHost(h)
		}
	}
	for _, route := range []*Route{t.catchAll, t.fallback} {
		if route != nil {
			e.addRoute(route)
		}
	}
	return e.decision, e.list
}

// explanation collects the candidates for a decision that was made.
type explanation struct {
	trace    *trace
	request  *Request
	decision Decision
	list     []Candidate
}

// addHost judges the routes of one host, and those that lost their place to them.
func (e *explanation) addHost(h *virtualHost) {
	for _, r := range h.routes() {
		if h == e.trace.host {
			e.addRoute(r)
			continue
		}
		e.list = append(e.list, Candidate{Route: r, Why: hostText(e.trace.host.name) + " takes the request, and no other host is asked"})
	}
	for _, l := range h.lost {
		e.list = append(e.list, Candidate{Route: l.route, Why: "not served: " + l.why})
	}
}

// addRoute judges one route, and if it won, its canaries.
func (e *explanation) addRoute(r *Route) {
	c := Candidate{Route: r, Won: r == e.trace.route}
	if c.Won {
		c.Why = e.whyWon(r)
	} else {
		c.Why = e.whyLost(r)
	}
	e.list = append(e.list, c)
	if !c.Won {
		return
	}
	for _, canary := range r.Canaries {
		won, why := e.judgeCanary(canary)
		e.list = append(e.list, Candidate{Route: r, Canary: canary, Won: won, Why: why})
	}
}

func (e *explanation) whyWon(r *Route) string {
	best := "it matches best"
	if r.PathType == "" {
		best = "no rule matches, and it is the first default back-end that is asked"
	}
	switch d := &e.decision; {
	case d.Action == Refuse && e.trace.status == 0:
		return best + ", but: " + d.Reason
	case d.Action == Redirect, d.Action == Preflight:
		return best + "; " + d.Reason
	case d.Unavailable != 0:
		return fmt.Sprintf("%s; the error back-end %s answers, because %s", best, d.Pool.Key(), d.Reason)
	case d.Canary:
		return best + "; a canary serves the request"
	}
	return best
}

func (e *explanation) whyLost(r *Route) string {
	switch winner := e.trace.route; {
	case r.PathType == "" && winner == nil:
		return "it has no endpoint: " + r.Pool.Reason
	case r.PathType == "":
		return fmt.Sprintf("%s comes before it", winner.match())
	case !r.matches(e.trace.path):
		return fmt.Sprintf("%s does not match %s", r.match(), e.trace.path)
	case r.Regex && len(winner.canonical) == len(r.canonical):
		return fmt.Sprintf("it matches, but %s comes first among paths of the same length", winner.match())
	default:
		return fmt.Sprintf("it matches, but %s is longer or more exact", winner.match())
	}
}

// judgeCanary says why a canary of the winning route serves the request, or does not.
func (e *explanation) judgeCanary(c *Canary) (won bool, why string) {
	d := &e.decision
	if d.Action != Forward || d.Unavailable != 0 {
		return false, "the request is not forwarded to the rule's back-end"
	}
	if d.Canary && d.Pool == c.Pool && d.CanaryOf == c.Ingress {
		return true, d.Reason
	}
	switch {
	case len(c.Pool.Endpoints) == 0:
		return false, c.Pool.Reason
	case c.Pool.Draining && c.Pool != d.Pool:
		return false, "its pods are all terminating"
	case d.Endpoint != nil && !d.Route.leavesCanary:
		return false, "the client's affinity cookie names a pod elsewhere"
	}
	switch {
	case c.ask(byHeader, e.request) == no:
		return false, fmt.Sprintf("header %s says never", c.Options.Header)
	case c.ask(byCookie, e.request) == no:
		return false, fmt.Sprintf("cookie %s says never", c.Options.Cookie)
	case d.Canary:
		return false, fmt.Sprintf("canary %s was chosen before it", d.CanaryOf)
	}
	return false, fmt.Sprintf("nothing chooses it, and the draw of %.4g is not between %.4g and %.4g", e.request.Draw, c.from, c.to)
}

// matches says whether a rule alone would match a canonical path. It is the rule as the documentation states it; find
// arrives at the same by look-ups.
func (r *Route) matches(path string) bool {
	switch {
	case r.Regex:
		return r.pattern.MatchString(path)
	case r.PathType == networkingv1.PathTypeExact:
		return path == r.canonical
	}
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(r.canonical, "/"))
	return ok && (rest == "" || rest[0] == '/')
}
