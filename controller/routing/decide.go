package routing

import (
	"net/http"
)

// Reasons of the built-in answers, for people.
const (
	reasonNoHost = "no host matches"
	reasonNoPath = "no path matches"
)

// Decide says what happens to one request. It looks at nothing but the request and the table, so for the same two it
// always says the same.
func (t *Table) Decide(r Request) Decision {
	return t.trace(r).decision()
}

// trace is how a request found its route, or did not. Decide and Explain both stand on it, which is why they agree.
type trace struct {
	// host is the virtual host that the request belongs to; nil when there is none.
	host *virtualHost
	// name and path are the canonical forms of the request's.
	name, path string
	// route is the rule that won; nil when none did.
	route *Route
	// status and reason are of the refusal, if there is one.
	status int
	reason string
}

// trace follows the steps of the package documentation.
func (t *Table) trace(r Request) trace {
	if t == nil {
		t = &Table{}
	}
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
	tr.route = t.routeOf(tr.host, tr.path)
	if tricky {
		if refusal = t.compareReadings(tr); refusal != "" {
			return trace{status: http.StatusBadRequest, reason: refusal}
		}
	}
	tr.refuseUnserved(t)
	return tr
}

// hostOf picks the one virtual host that a request belongs to: the exact one, else the wildcard, else the rules without
// a host. It looks no further, even if no path of that host matches.
func (t *Table) hostOf(name string) *virtualHost {
	if h := t.exact[name]; h != nil {
		return h
	}
	if h := t.wildcard[wildcardSuffix(name)]; h != nil {
		return h
	}
	return t.anyHost
}

// routeOf finds the route for a path: a rule of the host, else the default back-end of the host, else the catch-all,
// else that of the controller. nil means the built-in 404.
func (t *Table) routeOf(h *virtualHost, path string) *Route {
	if h != nil {
		if r := h.find(path); r != nil {
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

// compareReadings refuses a path if one of the ways in which a back-end may read it is no path at all, or leads to
// another route than the canonical form does.
func (t *Table) compareReadings(tr trace) (refusal string) {
	for reading := range readings(tr.path) {
		if hasDotSegment(reading) {
			return refuseDots
		}
		if t.routeOf(tr.host, reading) != tr.route {
			return refuseAmbiguous
		}
	}
	return ""
}

// refuseUnserved sets the refusal if there is no route, or if it cannot be served now.
func (tr *trace) refuseUnserved(t *Table) {
	switch {
	case tr.route == nil, tr.route == t.fallback && len(tr.route.Pool.Endpoints) == 0:
		// A default back-end that is gone makes no page of what no rule knows: the answer stays 404, not 503.
		tr.route = nil
		tr.status, tr.reason = http.StatusNotFound, reasonNoHost
		if tr.host != nil {
			tr.reason = reasonNoPath
		}
	case tr.route.Closed != "":
		tr.status, tr.reason = http.StatusServiceUnavailable, tr.route.Closed
	case len(tr.route.Pool.Endpoints) == 0:
		tr.status, tr.reason = http.StatusServiceUnavailable, tr.route.Pool.Reason
	}
}

func (tr trace) decision() Decision {
	var policy *Policy
	if tr.route != nil {
		policy = tr.route.Policy
	}
	if tr.status != 0 {
		return Decision{Action: Refuse, Status: tr.status, Reason: tr.reason, Route: tr.route, Policy: policy}
	}
	return Decision{
		Action:   Forward,
		Reason:   tr.route.why,
		Route:    tr.route,
		Policy:   policy,
		Pool:     tr.route.Pool,
		Timeouts: tr.route.Timeouts,
	}
}
