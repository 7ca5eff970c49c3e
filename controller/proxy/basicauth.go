package proxy

import (
	"net/http"
	"strings"
)

// defaultRealm is what the browser shows when the annotation auth-realm says nothing.
const defaultRealm = "Authentication Required"

// askPassword wants a user name and password (RFC 7617) that the route knows; nil means that they are right. The header
// Authorization passes on to the endpoint, as in nginx.
func (s *Server) askPassword(x *exchange) *refusal {
	policy := x.decision.Policy
	if policy.Users == nil {
		return &refusal{status: http.StatusServiceUnavailable, reason: "the route wants a password and knows no users"}
	}
	wrong := &refusal{status: http.StatusUnauthorized, header: challenge(policy.Auth.Realm)}
	user, password, ok := x.request.BasicAuth()
	if !ok || len(x.request.Header["Authorization"]) != 1 { // of two, the endpoint might believe the other one
		wrong.reason = "the request carries no user name and password"
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

// challenge asks for a password. The realm is a quoted-string (RFC 9110, 5.6.4).
func challenge(realm string) http.Header {
	if realm == "" {
		realm = defaultRealm
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(realm))
	return http.Header{"Www-Authenticate": {`Basic realm="` + quoted + `"`}}
}
