package proxy

import (
	"net/http"
	"strings"
)

// rewriteCookies changes the Domain and Path of the endpoint's cookies (annotations
// proxy-cookie-domain and -path). As in nginx, the annotation must match the whole domain (without
// a leading dot, in any case), but only the start of a path.
func (x *exchange) rewriteCookies(h http.Header) {
	policy := x.decision.Policy
	if policy == nil {
		return
	}
	domain, path := policy.Rewrite.CookieDomain, policy.Rewrite.CookiePath
	if domain.From == "" && path.From == "" {
		return
	}
	for i, cookie := range h["Set-Cookie"] {
		h["Set-Cookie"][i] = mapAttributes(cookie, func(name, value string) string {
			switch {
			case domain.From != "" && strings.EqualFold(name, "domain"):
				if strings.EqualFold(strings.TrimPrefix(value, "."), strings.TrimPrefix(domain.From, ".")) {
					return domain.To
				}
			case path.From != "" && strings.EqualFold(name, "path"):
				if rest, found := strings.CutPrefix(value, path.From); found {
					return path.To + rest
				}
			}
			return value
		})
	}
}

// mapAttributes replaces the values of a cookie's attributes (RFC 6265, 4.1.1). It changes no other
// byte, so the cookie's value stays the same.
func mapAttributes(cookie string, replace func(name, value string) string) string {
	parts := strings.Split(cookie, ";")
	for i, part := range parts[1:] {
		name, value, found := strings.Cut(part, "=")
		if !found {
			continue
		}
		if trimmed := strings.TrimSpace(value); trimmed != "" {
			if replaced := replace(strings.TrimSpace(name), trimmed); replaced != trimmed {
				parts[i+1] = name + "=" + replaced
			}
		}
	}
	return strings.Join(parts, ";")
}
