package routing

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// These constants are the Decision.Reason of redirects.
const (
	reasonWWW       = "from-to-www-redirect redirects every request for this host"
	reasonAppRoot   = "app-root redirects /"
	reasonTemporal  = "temporal-redirect redirects every request of the Ingress"
	reasonPermanent = "permanent-redirect redirects every request of the Ingress"
	reasonHTTPS     = "the host has a certificate, so ssl-redirect redirects HTTP to HTTPS"
	reasonForced    = "force-ssl-redirect redirects HTTP to HTTPS"
	refuseNoName    = "the request has no host to redirect it to"
)

// redirect redirects all requests of a host, requests for "/", or all requests of the Ingress. As
// in ingress-nginx, a temporal redirect comes before a permanent one.
func (s *step) redirect() (done bool) {
	to, d := &s.decision.Policy.Redirects, s.decision
	if d.Route.redirectHost != "" {
		d.Reason = reasonWWW
		s.redirectTo(to.Code, scheme(s.request)+"://"+d.Route.redirectHost+s.portSuffix()+requestURI(s.request))
		return true
	}
	if s.isChallenge() {
		return false
	}
	switch {
	case to.AppRoot != "" && s.trace.path == "/":
		d.Reason = reasonAppRoot
		return s.redirectToSelf(http.StatusFound, scheme(s.request), s.clientPort(), to.AppRoot)
	case !to.Temporal.IsZero():
		d.Reason = reasonTemporal
		return s.redirectToTemplate(to.TemporalCode, to.Temporal)
	case !to.Permanent.IsZero():
		d.Reason = reasonPermanent
		return s.redirectToTemplate(to.PermanentCode, to.Permanent)
	}
	return false
}

// redirectToHTTPS redirects plain HTTP to the same URL with HTTPS. Like ingress-nginx, it drops the
// trailing slash unless preserve-trailing-slash is set.
func (s *step) redirectToHTTPS() (done bool) {
	to, d := &s.decision.Policy.Redirects, s.decision
	if s.request.TLS || !to.SSL && !to.ForceSSL || d.Route == s.table.fallback {
		return false
	}
	if !to.ForceSSL && !s.table.HasCertificate(s.trace.name) || s.isChallenge() {
		return false
	}
	uri := requestURI(s.request)
	if !to.PreserveTrailingSlash {
		uri = strings.TrimSuffix(uri, "/")
	}
	d.Reason = reasonHTTPS
	if to.ForceSSL {
		d.Reason = reasonForced
	}
	return s.redirectToSelf(to.Code, "https", "", uri)
}

// redirectToTemplate redirects to the URL in an annotation. As in nginx, a path becomes a URL on
// the same host, unless relative-redirects is set. A path that starts with two slashes always
// becomes such a URL, because a browser reads a host after them.
func (s *step) redirectToTemplate(status int, to annotations.Template) (done bool) {
	location := to.Expand(Variables(*s.request, *s.decision))
	if relative := s.decision.Policy.Redirects.Relative && !strings.HasPrefix(location, "//"); !relative && strings.HasPrefix(location, "/") {
		return s.redirectToSelf(status, scheme(s.request), s.clientPort(), location)
	}
	s.redirectTo(status, location)
	return true
}

// redirectToSelf redirects to another URL of the same host.
func (s *step) redirectToSelf(status int, scheme, port, uri string) (done bool) {
	if s.trace.name == "" { // only HTTP/1.0 lets a client do so
		s.refuse(http.StatusBadRequest, refuseNoName)
		return true
	}
	s.redirectTo(status, scheme+"://"+s.trace.name+port+uri)
	return true
}

// redirectTo sets a Location. It escapes what a header cannot contain, so that no path, query, or
// annotation can start another header.
func (s *step) redirectTo(status int, location string) {
	d := s.decision
	*d = Decision{
		Action: Redirect, Status: status, Reason: d.Reason, Route: d.Route, Policy: d.Policy,
		Location: escape(location, locationByte), ClientTLS: d.ClientTLS, AllowOrigin: d.AllowOrigin,
	}
}

// locationByte accepts the bytes of a URI (RFC 3986, appendix A), and the percent sign: existing
// escapes stay.
func locationByte(c byte) bool { return queryByte(c) || strings.IndexByte("#[]%", c) >= 0 }

// clientPort returns the port in the Host header with its colon. It is empty if there is no port,
// or the scheme's default port.
func (s *step) clientPort() string {
	host := s.request.Host
	colon := strings.LastIndexByte(host, ':')
	if colon < strings.LastIndexByte(host, ']') || colon < 0 || host[colon:] == ":" {
		return ""
	}
	return otherPort(host[colon+1:], s.request.TLS)
}

// portSuffix returns the listener's port with its colon, for use-port-in-redirects.
func (s *step) portSuffix() string {
	if !s.decision.Policy.Redirects.UsePort || s.request.Port == 0 {
		return ""
	}
	return otherPort(strconv.Itoa(s.request.Port), s.request.TLS)
}

func otherPort(port string, tls bool) string {
	if port == "80" && !tls || port == "443" && tls {
		return ""
	}
	return ":" + port
}
