package routing

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// checkOrigin handles cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol). It
// decides which origin can read the response, and whether the request is a preflight. As in
// ingress-nginx, every OPTIONS request of an allowed origin counts as a preflight. The response
// comes before redirects and authentication, because a preflight has no password and browsers do
// not follow its redirects.
func (s *step) checkOrigin() (done bool) {
	cors := &s.decision.Policy.CORS
	if !cors.Enabled {
		return false
	}
	s.decision.AllowOrigin = allowOrigin(cors, s.request.Header.Get("Origin"))
	if s.request.Method != http.MethodOptions || s.decision.AllowOrigin == "" {
		return false
	}
	s.decision.Action = Preflight
	s.decision.Status = http.StatusNoContent
	s.decision.Reason = "the controller answers the CORS preflight for the backend"
	return true
}

// allowOrigin returns the Access-Control-Allow-Origin for an Origin, or "" if the origin is not
// allowed.
func allowOrigin(cors *annotations.CORS, origin string) string {
	if slices.Contains(cors.Origins, "*") {
		return "*"
	}
	if origin == "" {
		return ""
	}
	for _, allowed := range cors.Origins {
		if matchOrigin(allowed, origin) {
			return origin
		}
	}
	return ""
}

// matchOrigin compares an origin with an allowed one. An asterisk matches one label: letters,
// digits, and hyphens.
func matchOrigin(allowed, origin string) bool {
	before, after, wildcard := strings.Cut(allowed, "*")
	if !wildcard {
		return strings.EqualFold(allowed, origin)
	}
	if len(origin) <= len(before)+len(after) ||
		!strings.EqualFold(origin[:len(before)], before) || !strings.EqualFold(origin[len(origin)-len(after):], after) {
		return false
	}
	for _, c := range []byte(origin[len(before) : len(origin)-len(after)]) {
		if !alphanumeric(c) && c != '-' {
			return false
		}
	}
	return true
}
