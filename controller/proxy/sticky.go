package proxy

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// keepSession gives the client the cookie that brings it back to the endpoint which answered: when it had none, when the
// one it had names a pod that is gone, and, if the Ingress wants that, when the pod it names has failed. A session whose
// pod lives is never moved, whichever the mode and however many pods come.
//
// It runs on responses of endpoints only. Who was refused has met no pod.
func (x *exchange) keepSession(h http.Header) {
	if !x.decision.Sticky || x.last == nil {
		return
	}
	met := endpointOf(x.decision.Pool, x.last.endpoint)
	if met == nil || met.ID == "" {
		return // an error back-end answers in the place of the pool
	}
	affinity := &x.decision.Policy.Affinity
	if own := x.decision.Endpoint; own != nil && (own.ID == met.ID || !affinity.ChangeOnFailure) {
		return
	}
	h.Add("Set-Cookie", x.sessionCookie(&affinity.Cookie, met.ID).String())
}

// endpointOf finds a pool's endpoint by its live state; nil if it belongs to another pool.
func endpointOf(pool *routing.Pool, live *balancer.Endpoint) *routing.Endpoint {
	i, found := slices.BinarySearchFunc(pool.Endpoints, live.Address(), func(e routing.Endpoint, address netip.AddrPort) int {
		return e.Address.Compare(address)
	})
	if !found {
		return nil
	}
	return &pool.Endpoints[i]
}

// sessionCookie is the cookie that says id, RFC 6265. HttpOnly always: no script has a use for it.
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
	if c.SameSite == http.SameSiteNoneMode && c.ConditionalNone && misreadsSameSiteNone(x.request.UserAgent()) {
		cookie.SameSite = 0
	}
	return cookie
}

// cookiePath is the Path under which the browser sends the cookie back for every path of the route: that of the rule, in
// the escaped form of requests. It is "/" where the rule's path is none of a request: a regular expression, a default
// back-end, or one with a semicolon, which ends a cookie's attribute.
func cookiePath(route *routing.Route) string {
	if route.Regex || route.Path == "" || strings.Contains(route.Path, ";") {
		return "/"
	}
	path := route.Path
	if route.PathType != networkingv1.PathTypeExact && len(path) > 1 {
		path = strings.TrimSuffix(path, "/") // Prefix "/app/" takes "/app" too, a cookie's Path "/app/" does not
	}
	return (&url.URL{Path: path}).EscapedPath()
}
