package proxy

import "net/http"

// authenticate asks who the client is (Decision.BasicAuth, Decision.ExternalAuth).
func (s *Server) authenticate(x *exchange) (done bool) {
	return false // TODO(contract)
}

// passAuthCookies hands the cookies of the external auth service on to the client (annotation auth-always-set-cookie).
func (x *exchange) passAuthCookies(h http.Header, status int) {}
