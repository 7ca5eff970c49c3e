package routing

import (
	"net/http"
)

// choosePool selects the pool of the rule or of a canary. If it has no endpoints, the other pool
// gets the request; if neither has any, the error backend does.
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

// chooseErrorPool replaces a pool without endpoints with the error backend: that of the Ingress
// (annotation default-backend) always, and that of the controller only if custom-http-errors has
// 503.
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

// rewriteHost sets the Host header for the endpoint (upstream-vhost). Expanded variables must give
// a valid host.
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
