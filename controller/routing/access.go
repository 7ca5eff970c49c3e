package routing

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Reasons of refusals by address, for people.
const (
	reasonDenied     = "the client's address is in denylist-source-range"
	reasonNotAllowed = "the client's address is not in allowlist-source-range"
)

// checkClient says who has to show what: it refuses addresses that may not enter, and asks for authentication and limits
// where they hold. With satisfy any, an address of the allowlist needs no password, and any other address gets in with one;
// a denied address never does.
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

// contains says whether an address is in one of the prefixes. An address that is not known is in none.
func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// challengePrefix is where certificate authorities look for proof that a host is ours (RFC 8555, section 8.3).
const challengePrefix = "/.well-known/acme-challenge/"

// isChallenge recognizes the question of a certificate authority, which neither has a password nor speaks HTTPS before there is a
// certificate. Authentication and redirects let it pass, and nothing else: only GET, only a token (base64url), and only if the path
// goes on as it is. Addresses are checked all the same, because an allowlist says what it means.
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
