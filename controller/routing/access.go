package routing

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// These constants are the Decision.Reason of a request that is refused because of its address.
const (
	reasonDenied     = "the client's address is in denylist-source-range"
	reasonNotAllowed = "the client's address is not in allowlist-source-range"
)

// checkClient refuses addresses that are not allowed, and decides whether authentication and limits
// apply. With satisfy any, an address in the allowlist needs no password, and any other address
// needs one. A denied address is always refused.
func (s *step) checkClient() (done bool) {
	p, d := s.decision.Policy, s.decision
	client := s.request.Client.Unmap()
	if contains(p.Access.Deny, client) {
		s.refuse(http.StatusForbidden, reasonDenied)
		return true
	}
	basic, external := p.Auth.Basic, !p.Auth.URL.IsZero()
	allowed := contains(p.Access.Allow, client)
	foreign, another := p.Access.Allow != nil && !allowed, p.Auth.Any && (basic || external)
	if foreign && !another {
		s.refuse(http.StatusForbidden, reasonNotAllowed)
		return true
	}
	excused := p.Auth.Any && allowed || !foreign && s.isChallenge()
	d.BasicAuth, d.ExternalAuth = basic && !excused, external && !excused
	d.Limit = limited(p.Limits) && !contains(p.Limits.Exempt, client)
	return false
}

func limited(l annotations.Limits) bool { return l.RPS > 0 || l.RPM > 0 || l.Connections > 0 }

// contains reports whether a prefix contains the address. An unknown address is in no prefix.
func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// challengePrefix is the path of ACME HTTP-01 challenges (RFC 8555, section 8.3).
const challengePrefix = "/.well-known/acme-challenge/"

// isChallenge reports whether the request is an ACME HTTP-01 challenge. The certificate authority
// has no password, and cannot use HTTPS before there is a certificate, so authentication and
// redirects let it pass. This holds only for GET and HEAD, only for a token (base64url), and only
// if the path is not rewritten. Address lists still apply.
func (s *step) isChallenge() bool {
	token, ok := strings.CutPrefix(s.trace.path, challengePrefix)
	if !ok || token == "" || s.decision.Route.rewrite != nil {
		return false
	}
	if s.request.Method != http.MethodGet && s.request.Method != http.MethodHead {
		return false
	}
	for i := range len(token) {
		if !alphanumeric(token[i]) && token[i] != '-' && token[i] != '_' {
			return false
		}
	}
	return true
}
