package proxy

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// keepSession sets the session cookie that names the endpoint of the response. It does so if the
// request had no cookie, or if the named pod no longer exists. It also does so after a failure of
// the pod, if the Ingress enables that. A session of an existing pod never moves, in both modes and
// with any number of new pods.
//
// It applies only to responses of endpoints, not to refusals.
func (x *exchange) keepSession(h http.Header) {
	if !x.decision.Sticky || x.last == nil {
		return
	}
	met := endpointOf(x.decision.Pool, x.last.endpoint)
	if met == nil || met.ID == "" {
		return // an error backend replaces the pool
	}
	affinity := &x.decision.Policy.Affinity
	if own := x.decision.Endpoint; own != nil && (own.ID == met.ID || !affinity.ChangeOnFailure) {
		return
	}
	h.Add("Set-Cookie", x.sessionCookie(&affinity.Cookie, met.ID).String())
}

// endpointOf finds a pool's endpoint by its live state. It returns nil if there is none.
func endpointOf(pool *routing.Pool, live *balancer.Endpoint) *routing.Endpoint {
	i, found := slices.BinarySearchFunc(pool.Endpoints, live.Address(), func(e routing.Endpoint, address netip.AddrPort) int {
		return e.Address.Compare(address)
	})
	if !found {
		return nil
	}
	return &pool.Endpoints[i]
}

// sessionCookie returns the session cookie with the value id (RFC 6265). It is always HttpOnly: no
// script needs it.
func (x *exchange) sessionCookie(c *annotations.SessionCookie, id string) *http.Cookie {
	cookie := &http.Cookie{
		Name:        c.Name,
		Value:       id,
		Path:        c.Path,
		Domain:      c.Domain,
		MaxAge:      int(c.MaxAge / time.Second),
		SameSite:    c.SameSite,
		Secure:      x.secure,
		HttpOnly:    true,
		Partitioned: c.Partitioned,
	}
	if cookie.Path == "" {
		cookie.Path = cookiePath(x.decision.Route)
	}
	if c.Expires > 0 {
		cookie.Expires = x.record.Time.Add(c.Expires)
	}
	if c.Secure != nil {
		cookie.Secure = *c.Secure
	}
	if c.SameSite == http.SameSiteNoneMode && c.ConditionalNone && misinterpretsSameSiteNone(x.request.UserAgent()) {
		cookie.SameSite = 0
	}
	return cookie
}

// cookiePath returns the cookie's Path: the path of the rule, escaped as in requests. It is "/" for
// a regular expression, for a default backend, and for a path with a semicolon, which ends a
// cookie's attribute.
func cookiePath(route *routing.Route) string {
	if route.Regex || route.Path == "" || strings.Contains(route.Path, ";") {
		return "/"
	}
	path := route.Path
	if route.PathType != networkingv1.PathTypeExact && len(path) > 1 {
		path = strings.TrimSuffix(path, "/") // Prefix "/app/" also matches "/app", a cookie's Path "/app/" doesn't
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// Browser versions in a User-Agent header.
var (
	chromeVersion = regexp.MustCompile(`Chrom(?:e|ium)/(\d+)`)
	ucVersion     = regexp.MustCompile(`UCBrowser/(\d+)\.(\d+)\.(\d+)`)
)

// misinterpretsSameSiteNone reports whether the browser misinterprets SameSite=None: it drops the
// cookie, or treats None as Strict. The list is
// https://www.chromium.org/updates/same-site/incompatible-clients/. The range of Chrome versions is
// slightly larger; in the added versions, None and no value are the same.
func misinterpretsSameSiteNone(userAgent string) bool {
	has := func(parts ...string) bool {
		for _, part := range parts {
			if !strings.Contains(userAgent, part) {
				return false
			}
		}
		return true
	}
	switch {
	case has("CPU iPhone OS 12_"), has("iPad; CPU OS 12_"): // every iOS browser uses the system's engine
		return true
	case has("Macintosh", "Mac OS X 10_14", "AppleWebKit") && !has("Chrome/") && !has("Chromium/"): // Safari and browsers with its engine
		return true
	case has("UCBrowser/"):
		m := ucVersion.FindStringSubmatch(userAgent)
		return m != nil && olderThan(m[1:], 12, 13, 2)
	}
	m := chromeVersion.FindStringSubmatch(userAgent)
	return m != nil && olderThan(m[1:], 70) && !olderThan(m[1:], 40)
}

// olderThan compares a version, number by number.
func olderThan(version []string, than ...int) bool {
	for i, part := range version {
		if n, _ := strconv.Atoi(part); n != than[i] { // the expression matches only digits
			return n < than[i]
		}
	}
	return false
}
