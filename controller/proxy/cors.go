package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// setCORS sets the CORS response header fields (https://fetch.spec.whatwg.org/#http-cors-protocol).
// They replace the endpoint's fields, because browsers reject two values of
// Access-Control-Allow-Origin.
func (x *exchange) setCORS(h http.Header) {
	if x.decision.Policy == nil || !x.decision.Policy.CORS.Enabled {
		return
	}
	cors := &x.decision.Policy.CORS
	if !slices.Contains(cors.Origins, "*") {
		addVary(h, "Origin") // also for origins that aren't allowed: a cache must not reuse this response for another origin
	}
	if x.decision.AllowOrigin == "" {
		return
	}
	h["Access-Control-Allow-Origin"] = []string{x.decision.AllowOrigin}
	setOrDelete(h, "Access-Control-Allow-Credentials", allowCredentials(cors))
	setOrDelete(h, "Access-Control-Allow-Methods", cors.Methods)
	setOrDelete(h, "Access-Control-Allow-Headers", cors.Headers)
	setOrDelete(h, "Access-Control-Expose-Headers", cors.Expose)
	setOrDelete(h, "Access-Control-Max-Age", strconv.Itoa(int(cors.MaxAge/time.Second)))
}

// allowCredentials returns "true" or an empty string; no other value exists. With the origin "*",
// browsers ignore the field for requests without credentials and reject responses to requests with
// them. The combination is therefore safe; ingress-nginx sends it by default.
func allowCredentials(cors *annotations.CORS) string {
	if cors.Credentials {
		return "true"
	}
	return ""
}

func setOrDelete(h http.Header, name, value string) {
	if value == "" {
		delete(h, name)
		return
	}
	h[name] = []string{value}
}

// addVary adds a field name to Vary (RFC 9110, 12.5.5), unless Vary already contains it.
func addVary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, name) {
				return
			}
		}
	}
	h["Vary"] = append(h["Vary"], name)
}
