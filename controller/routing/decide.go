package routing

import (
	"net/http"
)

// These constants are the Decision.Reason of responses that no Ingress configures.
const (
	reasonNoHost = "no host matches"
	reasonNoPath = "no path matches"
)

// Decide decides what happens to one request. The same request and table always give the same
// decision.
func (t *Table) Decide(r Request) Decision {
	if t == nil {
		t = &Table{}
	}
	tr := t.trace(&r)
	return t.decide(&tr, &r)
}

// trace is the result of the search for a route. Decide and Explain both use it, so they agree.
type trace struct {
	// host is the virtual host of the request, or nil if there is none.
	host *virtualHost
	// name and path are the canonical forms of the request's host and path.
	name, path string
	// route is the selected route, or nil if the request is refused.
	route *Route
	// status and reason are set if the request is refused.
	status int
	reason string
}

// trace finds the route: steps 1 to 5 of the package documentation.
func (t *Table) trace(r *Request) trace {
	var tr trace
	var refusal string
	if tr.name, refusal = canonicalHost(r.Host); refusal != "" {
		return trace{status: http.StatusBadRequest, reason: refusal}
	}
	var tricky bool
	if tr.path, tricky, refusal = canonicalPath(r.Path); refusal != "" {
		return trace{status: http.StatusBadRequest, reason: refusal}
	}
	tr.host = t.hostOf(tr.name)
	tr.route = t.routeOf(tr.host, tr.path, tr.path)
	if tricky {
		if refusal = t.compareReadings(tr); refusal != "" {
			return trace{status: http.StatusBadRequest, reason: refusal}
		}
	}
	// If the controller's default backend has no endpoints, the response is 404, not 503.
	if tr.route == nil || tr.route == t.fallback && len(tr.route.Pool.Endpoints) == 0 {
		tr.route = nil
		tr.status, tr.reason = http.StatusNotFound, reasonNoHost
		if tr.host != nil {
			tr.reason = reasonNoPath
		}
	}
	return tr
}

// hostOf selects the only virtual host of a request: the exact one, else the wildcard, else the
// rules without a host. The choice stays, even if no path of that host matches.
func (t *Table) hostOf(name string) *virtualHost {
	if h := t.exact[name]; h != nil {
		return h
	}
	if h := t.wildcard[wildcardSuffix(name)]; h != nil {
		return h
	}
	return t.anyHost
}

// routeOf finds the route for a path: a rule of the host, else its default backend, else the
// catch-all, else the default backend of the controller. It returns nil for the built-in 404.
// Regular expressions match text, which differs from path only in how it writes a percent sign.
func (t *Table) routeOf(h *virtualHost, path, text string) *Route {
	if h != nil {
		if r := h.find(path, text); r != nil {
			return r
		}
		if h.fallback != nil {
			return h.fallback
		}
	}
	if t.catchAll != nil {
		return t.catchAll
	}
	return t.fallback
}

// compareReadings refuses a path if a backend could read it as an invalid path, or as a path of
// another route.
func (t *Table) compareReadings(tr trace) (refusal string) {
	for reading := range readings(tr.path) {
		if hasDotSegment(reading) {
			return refuseDots
		}
		if t.routeOf(tr.host, reading, reading) != tr.route || t.routeOf(tr.host, reading, decodePercent(reading)) != tr.route {
			return refuseAmbiguous
		}
	}
	return ""
}

// step has the state of one request while decide applies the policy of its route.
type step struct {
	table    *Table
	trace    *trace
	request  *Request
	decision *Decision
}

// decide applies the route's policy: steps 6 to 9 of the package documentation. The order is that
// of nginx's phases, https://nginx.org/en/docs/dev/development_guide.html#http_phases: immediate
// responses, access control, destination. Each step reports whether the decision is final.
func (t *Table) decide(tr *trace, r *Request) Decision {
	if tr.route == nil {
		return Decision{Action: Refuse, Status: tr.status, Reason: tr.reason}
	}
	d := Decision{Reason: tr.route.why, Route: tr.route, Policy: tr.route.Policy}
	s := step{table: t, trace: tr, request: r, decision: &d}
	switch {
	case tr.route.Blocked != "":
		s.refuse(http.StatusServiceUnavailable, tr.route.Blocked)
	case tr.route.plain:
		_ = s.redirectToHTTPS() || s.choosePool()
	default:
		d.ClientTLS = d.Policy.ClientCA != nil && tr.route.redirectHost == "" && !s.isChallenge()
		_ = s.checkOrigin() || s.redirect() || s.redirectToHTTPS() || s.checkClient() || s.choosePool() || s.rewritePath() || s.rewriteHost()
	}
	return d
}

// refuse sets a response with a status and a reason, and drops the other parts of the decision.
func (s *step) refuse(status int, reason string) {
	d := s.decision
	*d = Decision{
		Action: Refuse, Status: status, Reason: reason, Route: d.Route, Policy: d.Policy,
		ClientTLS: d.ClientTLS, AllowOrigin: d.AllowOrigin,
	}
}
