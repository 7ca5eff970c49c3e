package proxy

import "net/http"

// authenticate asks who the client is (Decision.BasicAuth, Decision.ExternalAuth): for a password, which costs least, and at
// the external service. Both have to agree, or with "satisfy: any" one of them.
func (s *Server) authenticate(x *exchange) (done bool) {
	basic, external := x.decision.BasicAuth, x.decision.ExternalAuth
	if !basic && !external {
		return false
	}
	either := basic && external && x.decision.Policy.Auth.Any
	var refused *refusal
	if basic {
		refused = s.askPassword(x)
		if either && refused == nil {
			return false
		}
	}
	if external && (either || refused == nil) {
		refused = moreHelpful(refused, s.askService(x))
	}
	if refused == nil {
		return false
	}
	s.refuse(x, refused)
	return true
}

// moreHelpful chooses what to tell a client who satisfies neither the password nor the service: what it can do about
// it. As in nginx, a 401 says more than a 403, and a failure of the service stays one. A service that agrees is enough.
func moreHelpful(password, service *refusal) *refusal {
	if service != nil && password != nil && password.status == http.StatusUnauthorized && service.status == http.StatusForbidden {
		return password
	}
	return service
}
