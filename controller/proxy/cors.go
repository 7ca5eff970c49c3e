package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// setCORS says which scripts may read the response (https://fetch.spec.whatwg.org/#http-cors-protocol). What the route
// says replaces what the endpoint says: two values of Access-Control-Allow-Origin are as good as none.
func (x *exchange) setCORS(h http.Header) {
	if x.decision.Policy == nil || !x.decision.Policy.CORS.Enabled {
		return
	}
	cors := &x.decision.Policy.CORS
	if !slices.Contains(cors.Origins, "*") {
		addVary(h, "Origin") // also without permission: a cache must not give this answer to another origin
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

// allowCredentials is "true" or nothing: there is no other value. Together with the origin "*" browsers ignore it for
// plain requests and refuse those with cookies, so it opens nothing; ingress-nginx sends the two by default.
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

// addVary says that the response depends on a header of the request (RFC 9110, 12.5.5), unless it says so already.
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
