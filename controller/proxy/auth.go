package proxy

import "net/http"

// authenticate authenticates the client (Decision.BasicAuth, Decision.ExternalAuth). It checks the
// password first, because that is cheapest, and then calls the external auth service. Both must
// accept the request; with "satisfy: any", one of them is enough.
func (s *Server) authenticate(x *exchange) (done bool) {
	basic, external := x.decision.BasicAuth, x.decision.ExternalAuth
	if !basic && !external {
		return false
	}
	either := basic && external && x.decision.Policy.Auth.Any
	var refused *refusal
	if basic {
		refused = s.checkPassword(x)
		if either && refused == nil {
			return false
		}
	}
	if external && (either || refused == nil) {
		refused = selectRefusal(refused, s.checkExternalAuth(x))
	}
	if refused == nil {
		return false
	}
	s.refuse(x, refused)
	return true
}

// selectRefusal selects the response for a client that both the password check and the auth service
// might refuse. As in nginx, a 401 takes precedence over a 403, and a failure of the service
// remains a failure. If the service accepts the request, the result is nil.
func selectRefusal(password, service *refusal) *refusal {
	if service != nil && password != nil && password.status == http.StatusUnauthorized && service.status == http.StatusForbidden {
		return password
	}
	return service
}
