package routing

import (
	"net/http"
)

// choosePool says where a request goes that may: to the pool of the rule, or to that of a canary; to the one that has endpoints if
// the other has none; and to the error back-end if neither has.
func (s *step) choosePool() (done bool) {
	d, route := s.decision, s.decision.Route
	d.Action, d.Timeouts = Forward, route.Timeouts
	choice := route.choose(s.request)
	d.Pool = choice.pool
	backend := &route.Policy.Backend
	if c := choice.canary; c != nil {
		d.Canary, d.CanaryOf, d.Reason = true, c.Ingress, c.why[choice.cause]
		backend = &c.Backend
	}
	if len(d.Pool.Endpoints) == 0 {
		return s.chooseErrorPool()
	}
	d.Sticky, d.Endpoint = route.Policy.Affinity.Enabled, choice.endpoint
	d.LoadBalance = backend.LoadBalance
	if hash := &backend.HashBy; !hash.IsZero() {
		d.HashKey = hash.Expand(Variables(*s.request, *d))
	}
	return false
}

// chooseErrorPool puts the error back-end in the place of a pool without endpoints: one that the Ingress names (annotation
// default-backend) always, and the controller's own if the Ingress wants 503 to look like that one (custom-http-errors).
func (s *step) chooseErrorPool() (done bool) {
	d, p := s.decision, s.decision.Policy
	wanted := p.Errors.Service != "" || contains503(p.Errors.Codes)
	if p.ErrorPool == nil || len(p.ErrorPool.Endpoints) == 0 || !wanted {
		s.refuse(http.StatusServiceUnavailable, d.Pool.Reason)
		return true
	}
	d.Reason = d.Pool.Reason
	d.Pool, d.Unavailable = p.ErrorPool, http.StatusServiceUnavailable
	d.Canary, d.CanaryOf = false, Route{}.Ingress
	return true
}

func contains503(codes []int) bool {
	for _, code := range codes {
		if code == http.StatusServiceUnavailable {
			return true
		}
	}
	return false
}

// rewriteHost sets the Host header that the endpoint gets (upstream-vhost). What variables make of it must be a host.
func (s *step) rewriteHost() (done bool) {
	vhost := &s.decision.Policy.Rewrite.VHost
	if vhost.IsZero() {
		return false
	}
	host := vhost.Expand(Variables(*s.request, *s.decision))
	if _, refusal := canonicalHost(host); refusal != "" {
		s.refuse(http.StatusBadRequest, "upstream-vhost does not give a valid host: "+refusal)
		return true
	}
	s.decision.Host = host
	return false
}
