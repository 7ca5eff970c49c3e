package routing

import (
	"fmt"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// Explain decides like Decide, and returns every rule of every host that could match the request.
// The rules are in the order in which Decide considers them, each with the Reason why it won or
// lost. The canaries of the rule that won follow it. A malformed request has no candidates.
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

// explanation collects the candidates of one decision.
type explanation struct {
	trace    *trace
	request  *Request
	decision Decision
	list     []Candidate
}

// addHost adds the routes of one host, and the rules that lost a conflict with them.
func (e *explanation) addHost(h *virtualHost) {
	for _, r := range h.routes() {
		if h == e.trace.host {
			e.addRoute(r)
			continue
		}
		e.list = append(e.list, Candidate{Route: r, Why: Because(OtherHost, "host", hostText(e.trace.host.name))})
	}
	for _, l := range h.lost {
		e.list = append(e.list, Candidate{Route: l.route, Why: l.why})
	}
}

// addRoute adds one route, and its canaries if it won.
func (e *explanation) addRoute(r *Route) {
	if r != e.trace.route {
		e.list = append(e.list, Candidate{Route: r, Why: e.whyLost(r)})
		return
	}
	e.list = append(e.list, Candidate{Route: r, Won: true, Why: e.whyWon(r)})
	for _, canary := range r.Canaries {
		won, why := e.judgeCanary(canary)
		e.list = append(e.list, Candidate{Route: r, Canary: canary, Won: won, Why: why})
	}
}

func (e *explanation) whyWon(r *Route) Reason {
	best := Because(BestMatch)
	if r.PathType == "" {
		best = Because(FirstDefault)
	}
	switch d := &e.decision; {
	case d.Action == Refuse && e.trace.status == 0:
		return best.so(fmt.Sprintf("the response is %d: %s", d.Status, d.Reason))
	case d.Action == Redirect, d.Action == Preflight:
		return best.so(d.Reason)
	case d.Unavailable != 0:
		return best.so(fmt.Sprintf("the error backend %s responds: %s", d.Pool.Key(), d.Reason))
	case d.Canary:
		return best.so("a canary serves the request")
	}
	return best
}

func (e *explanation) whyLost(r *Route) Reason {
	switch winner := e.trace.route; {
	case r.PathType == "" && winner == nil:
		return Because(NoEndpoints, "text", r.Pool.Reason)
	case r.PathType == "":
		return Because(LaterDefault, "winner", winner.match())
	case !r.matches(e.trace.path):
		return Because(PathUnmatched, "rule", r.match(), "path", e.trace.path)
	case r.Regex && len(winner.canonical) == len(r.canonical):
		return Because(LaterPattern, "winner", winner.match())
	default:
		return Because(LessSpecific, "winner", winner.match())
	}
}

// judgeCanary returns whether a canary of the winning route serves the request, and why.
func (e *explanation) judgeCanary(c *Canary) (won bool, why Reason) {
	d := &e.decision
	if d.Action != Forward || d.Unavailable != 0 {
		return false, Because(NotForwarded)
	}
	if d.Canary && d.Pool == c.Pool && d.CanaryOf == c.Ingress {
		return true, Because(CanaryChosen, "text", d.Reason)
	}
	switch {
	case len(c.Pool.Endpoints) == 0:
		return false, Because(NoEndpoints, "text", c.Pool.Reason)
	case c.Pool.Draining && c.Pool != d.Pool:
		return false, Because(CanaryTerminating)
	case d.Endpoint != nil && !d.Route.leavesCanary:
		return false, Because(AffinityElsewhere)
	case c.ask(byHeader, e.request) == no:
		return false, Because(HeaderSaysNever, "header", c.Options.Header)
	case c.ask(byCookie, e.request) == no:
		return false, Because(CookieSaysNever, "cookie", c.Options.Cookie)
	case d.Canary:
		return false, Because(OtherCanary, "by", d.CanaryOf.String())
	}
	short := func(f float64) string { return strconv.FormatFloat(f, 'g', 4, 64) }
	return false, Because(RandomValueOutside, "value", short(e.request.Random), "from", short(c.from), "to", short(c.to))
}

// matches reports whether a rule alone would match a canonical path. It follows the documentation.
// find gets the same result with map look-ups.
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
