package proxy

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// addRouteHeaders adds the route's header fields to a response of an endpoint, an error page, or the
// proxy. It runs when the status is known, before the header is sent.
func (x *exchange) addRouteHeaders(h http.Header, status int) {
	x.setCORS(h)
	x.passAuthCookies(h, status)
	x.setCustomHeaders(h)
}

// setCustomHeaders sets the header fields of the annotation custom-headers. They replace the
// endpoint's fields, as in ingress-nginx. They are set last, because the operator allows the names
// and the author of the Ingress sets the values.
func (x *exchange) setCustomHeaders(h http.Header) {
	policy := x.decision.Policy
	if policy == nil {
		return
	}
	for name, values := range policy.ResponseHeaders {
		if !isFramingField(name) {
			h[textproto.CanonicalMIMEHeaderKey(name)] = slices.Clone(values) // the policy is shared
		}
	}
}

// isFramingField reports whether a field describes the connection or the length of the message. Only
// the sender of the message can set it (RFC 9110, 7.6.1; RFC 9112, 6).
func isFramingField(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Connection", "Content-Length", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te",
		"Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// hstsValue returns the Strict-Transport-Security field (RFC 6797, 6.1) of the ConfigMap's hsts
// settings. It is empty if they disable HSTS.
func hstsValue(o annotations.HSTS) string {
	if !o.Enabled {
		return ""
	}
	value := "max-age=" + strconv.FormatInt(int64(o.MaxAge/time.Second), 10)
	if o.Subdomains {
		value += "; includeSubDomains"
	}
	if o.Preload {
		value += "; preload"
	}
	return value
}

// setHSTS makes the browser use only HTTPS for this host. As in ingress-nginx, the field is set
// on all HTTPS responses of a host with its own certificate, refusals included. It replaces the
// endpoint's field. Without a certificate, the field would lock users out for a year, so it is
// omitted. Over plain HTTP, browsers ignore it (RFC 6797, 8.1).
func (x *exchange) setHSTS() {
	if x.request.TLS != nil && x.view.hsts != "" && x.view.table.HasCertificate(hostName(x.request.Host)) {
		x.response.hsts = x.view.hsts
	}
}
