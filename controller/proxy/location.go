package proxy

import (
	"net/http"
	"strings"
)

// rewriteLocation rewrites the URLs of the endpoint's redirects (annotations proxy-redirect-from
// and -to): it replaces one prefix with the other, as nginx's proxy_redirect does. It applies to
// Location and to the URL in Refresh.
func (x *exchange) rewriteLocation(h http.Header) {
	policy := x.decision.Policy
	if policy == nil || policy.Rewrite.LocationFrom.IsZero() {
		return
	}
	location, refresh := h["Location"], h["Refresh"]
	if len(location) == 0 && len(refresh) == 0 {
		return
	}
	from, to := x.expand(policy.Rewrite.LocationFrom), oneLine(x.expand(policy.Rewrite.LocationTo))
	if policy.Rewrite.LocationFrom.String() == "default" {
		from, to = x.endpointURL(), "/"
	}
	if from == "" {
		return // a variable without a value would match every URL
	}
	for i := range location {
		if rest, found := strings.CutPrefix(location[i], from); found {
			location[i] = to + rest
		}
	}
	for i := range refresh {
		before, url, found := cutFold(refresh[i], "url=")
		if rest, matches := strings.CutPrefix(url, from); found && matches {
			refresh[i] = before + to + rest
		}
	}
}

// endpointURL returns the URL with the endpoint's address, which the endpoint might use in
// redirects to itself.
func (x *exchange) endpointURL() string {
	scheme := "http://"
	if dialectOf(x.decision.Policy).protocol.TLS() {
		scheme = "https://"
	}
	return scheme + x.record.Endpoint + "/"
}

// cutFold cuts after the first sep, ignoring case.
func cutFold(s, sep string) (before, after string, found bool) {
	i := strings.Index(strings.ToLower(s), sep)
	if i < 0 || i+len(sep) > len(s) {
		return s, "", false
	}
	return s[:i+len(sep)], s[i+len(sep):], true
}
