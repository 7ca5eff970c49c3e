package proxy

import (
	"strconv"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// hstsValue is the Strict-Transport-Security header (RFC 6797, 6.1) of the ConfigMap's hsts options; empty: none.
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

// promiseTLS has the browser come back over HTTPS only. As in ingress-nginx the header is on all answers over TLS of a
// host with a certificate of its own, refusals included, and replaces the endpoint's. A host without one would lock its
// visitors out for a year, so there it is left out; and over plain HTTP browsers have to ignore it (RFC 6797, 8.1).
func (x *exchange) promiseTLS() {
	if x.request.TLS != nil && x.view.hsts != "" && x.view.table.HasCertificate(hostName(x.request.Host)) {
		x.response.hsts = x.view.hsts
	}
}
