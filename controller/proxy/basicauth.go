package proxy

import (
	"net/http"
	"strings"
)

// defaultRealm is the realm without the annotation auth-realm.
const defaultRealm = "Authentication Required"

// checkPassword checks the user name and the password (RFC 7617). It returns nil if they are
// correct. The Authorization header is forwarded to the endpoint, as in nginx.
func (s *Server) checkPassword(x *exchange) *refusal {
	policy := x.decision.Policy
	if policy.Users == nil {
		return &refusal{status: http.StatusServiceUnavailable, reason: "the route requires a password, but has no users"}
	}
	wrong := &refusal{status: http.StatusUnauthorized, header: challenge(policy.Auth.Realm)}
	user, password, ok := x.request.BasicAuth()
	if !ok || len(x.request.Header["Authorization"]) != 1 { // with two values, the endpoint might use the other one
		wrong.reason = "the request has no user name and password"
		return wrong
	}
	right, err := s.passwords.match(x.request.Context(), policy.Users, user, password)
	if err != nil {
		return &refusal{status: http.StatusServiceUnavailable, reason: err.Error()}
	}
	if !right {
		wrong.reason = "the user name or the password is wrong"
		return wrong
	}
	x.record.User = user
	return nil
}

// challenge returns the WWW-Authenticate header. The realm is a quoted-string (RFC 9110, 5.6.4).
func challenge(realm string) http.Header {
	if realm == "" {
		realm = defaultRealm
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(realm))
	return http.Header{"Www-Authenticate": {`Basic realm="` + quoted + `"`}}
}
