package routing

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// checkOrigin decides about cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol): who may read the
// response, and whether the request is the question before one. As ingress-nginx does, every OPTIONS of an origin that may is
// taken for that question. It is answered before anybody is redirected or asked for a password: browsers send none
// with it, and follow no redirect.
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

// allowOrigin is the Access-Control-Allow-Origin for a request with that Origin; empty: it may not.
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

// matchOrigin compares an origin with one of the list. An asterisk in that stands for one label: letters, digits and hyphens.
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
