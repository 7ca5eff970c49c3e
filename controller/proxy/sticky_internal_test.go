package proxy

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// session is an exchange with a pool of two pods, "a" and "b", whose request b has answered.
func session(change func(*annotations.Options, *routing.Route)) *exchange {
	policy := &routing.Policy{Options: annotations.DefaultSettings().Options}
	policy.Affinity.Enabled = true
	route := &routing.Route{Path: "/cart", PathType: networkingv1.PathTypePrefix, Policy: policy}
	if change != nil {
		change(&policy.Options, route)
	}
	pool := &routing.Pool{Service: types.NamespacedName{Namespace: "shop", Name: "web"}, Port: "80"}
	for i, id := range []string{"a", "b"} {
		pool.Endpoints = append(pool.Endpoints, routing.Endpoint{
			Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 80),
			Pod:     types.NamespacedName{Namespace: "shop", Name: id}, ID: id,
		})
	}
	live, _ := balancer.NewRegistry(nil).Update(map[string][]balancer.Identity{"web": identities(pool)})
	request, _ := http.NewRequest(http.MethodGet, "http://shop.test/cart", nil)
	return &exchange{
		request:  request,
		record:   Record{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		decision: routing.Decision{Sticky: true, Route: route, Policy: policy, Pool: pool},
		pool:     live["web"],
		last:     &attempt{endpoint: live["web"].Endpoints()[1]},
	}
}

func (x *exchange) cookies() string {
	h := http.Header{"Set-Cookie": {"own=1"}}
	x.keepSession(h)
	return strings.Join(h["Set-Cookie"][1:], "|")
}

func TestSessionCookie(t *testing.T) {
	no := false
	for name, c := range map[string]struct {
		change func(*annotations.Options, *routing.Route)
		want   string
	}{
		"default": {nil, "INGRESSCOOKIE=b; Path=/cart; HttpOnly"},
		"everything": {func(o *annotations.Options, _ *routing.Route) {
			o.Affinity.Cookie = annotations.SessionCookie{
				Name: "route", Path: "/x", Domain: "shop.test", Expires: 48 * time.Hour, MaxAge: time.Hour,
				SameSite: http.SameSiteStrictMode, Partitioned: true,
			}
		}, "route=b; Path=/x; Domain=shop.test; Expires=Sun, 04 Jan 2026 03:04:05 GMT; Max-Age=3600; HttpOnly; SameSite=Strict; Partitioned"},
		"prefix with a slash": {func(_ *annotations.Options, r *routing.Route) { r.Path = "/cart/" }, "INGRESSCOOKIE=b; Path=/cart; HttpOnly"},
		"root":                {func(_ *annotations.Options, r *routing.Route) { r.Path = "/" }, "INGRESSCOOKIE=b; Path=/; HttpOnly"},
		"exact with a slash": {func(_ *annotations.Options, r *routing.Route) { r.Path, r.PathType = "/a/", "Exact" },
			"INGRESSCOOKIE=b; Path=/a/; HttpOnly"},
		"path to be escaped": {func(_ *annotations.Options, r *routing.Route) { r.Path = "/caf\u00e9 1" },
			"INGRESSCOOKIE=b; Path=/caf%C3%A9%201; HttpOnly"},
		"path with semicolon": {func(_ *annotations.Options, r *routing.Route) { r.Path = "/a;b" }, "INGRESSCOOKIE=b; Path=/; HttpOnly"},
		"default backend": {func(_ *annotations.Options, r *routing.Route) { r.Path, r.PathType = "", "" },
			"INGRESSCOOKIE=b; Path=/; HttpOnly"},
		"regular expression": {func(_ *annotations.Options, r *routing.Route) { r.Path, r.Regex = "/a(/|$)(.*)", true },
			"INGRESSCOOKIE=b; Path=/; HttpOnly"},
		"lax": {func(o *annotations.Options, _ *routing.Route) { o.Affinity.Cookie.SameSite = http.SameSiteLaxMode },
			"INGRESSCOOKIE=b; Path=/cart; HttpOnly; SameSite=Lax"},
		"not secure by choice": {func(o *annotations.Options, _ *routing.Route) { o.Affinity.Cookie.Secure = &no },
			"INGRESSCOOKIE=b; Path=/cart; HttpOnly"},
	} {
		if got := session(c.change).cookies(); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestSessionCookieIsSecureOverTLS(t *testing.T) {
	x := session(nil)
	x.secure = true
	if got, want := x.cookies(), "INGRESSCOOKIE=b; Path=/cart; HttpOnly; Secure"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	no := false
	x = session(func(o *annotations.Options, _ *routing.Route) { o.Affinity.Cookie.Secure = &no })
	x.secure = true
	if got := x.cookies(); strings.Contains(got, "Secure") {
		t.Errorf("session-cookie-secure false: %s", got)
	}
}

func TestSessionCookieIsSetWhenMissingOrStale(t *testing.T) {
	for name, c := range map[string]struct {
		own    int // the endpoint in the client's cookie; -1 for none
		change bool
		want   bool
	}{
		"none":                             {own: -1, want: true},
		"the one that answered":            {own: 1},
		"another one":                      {own: 0},
		"another one, change-on-failure":   {own: 0, change: true, want: true},
		"that answered, change-on-failure": {own: 1, change: true},
	} {
		x := session(func(o *annotations.Options, _ *routing.Route) { o.Affinity.ChangeOnFailure = c.change })
		if c.own >= 0 {
			x.decision.Endpoint = &x.decision.Pool.Endpoints[c.own]
		}
		if got := x.cookies(); (got != "") != c.want {
			t.Errorf("cookie names %s: got %q", name, got)
		}
	}
}

func TestNoSessionCookie(t *testing.T) {
	for name, change := range map[string]func(*exchange){
		"without affinity":         func(x *exchange) { x.decision.Sticky = false },
		"when no endpoint answers": func(x *exchange) { x.last = nil },
		"from an error backend":    func(x *exchange) { x.decision.Pool = &routing.Pool{Endpoints: x.decision.Pool.Endpoints[:1]} },
	} {
		x := session(nil)
		change(x)
		if got := x.cookies(); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestSessionSelectsEndpoint(t *testing.T) {
	x := session(nil)
	own := x.pool.Endpoints()[0]
	x.decision.Endpoint = &x.decision.Pool.Endpoints[0]
	for range 5 {
		if got := x.pool.Pick(x.choice()); got != own {
			t.Fatalf("went to %s", got.Pod())
		}
	}
	own.Failed()
	if got := x.pool.Pick(x.choice()); got == own {
		t.Error("balanced: selected a pod that failed recently, although another one is healthy")
	}
	x.decision.Policy.Affinity.Persistent = true
	if got := x.pool.Pick(x.choice()); got != own {
		t.Error("persistent: left a pod that might have recovered")
	}
	x.tried = append(x.tried, own)
	if got := x.pool.Pick(x.choice()); got == own {
		t.Error("persistent: selected twice for one request")
	}
}

func TestBrowsersThatMisinterpretSameSiteNone(t *testing.T) {
	const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	for userAgent, want := range map[string]bool{
		"":           false,
		"curl/8.5.0": false,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36":                      false,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.90 Safari/537.36":                   true,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Ubuntu Chromium/51.0.2704.79 Chrome/51.0 Safari/537": true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 12_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari/604.1": true,
		"Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/80.0 Mobile/15E148":            true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/604.1":  false,
		mac + "Version/12.1.2 Safari/605.1.15": true,
		mac + "Chrome/90.0.4430.93 Safari/537": false,
		"Mozilla/5.0 (Linux; U; Android 9) AppleWebKit/537.36 (KHTML, like Gecko) " +
			"Version/4.0 Chrome/57.0.2987.108 UCBrowser/12.13.2.1208 Mobile": false,
		"Mozilla/5.0 (Linux; U; Android 9) AppleWebKit/537.36 (KHTML, like Gecko) " +
			"Version/4.0 Chrome/57.0.2987.108 UCBrowser/12.10.0.1163 Mobile": true,
	} {
		if got := misinterpretsSameSiteNone(userAgent); got != want {
			t.Errorf("%q: %t", userAgent, got)
		}
	}
	none := func(o *annotations.Options, _ *routing.Route) {
		o.Affinity.Cookie.SameSite, o.Affinity.Cookie.ConditionalNone = http.SameSiteNoneMode, true
	}
	x := session(none)
	if got := x.cookies(); !strings.HasSuffix(got, "; SameSite=None") {
		t.Errorf("got %s", got)
	}
	x.request.Header.Set("User-Agent", mac+"Version/12.1.2 Safari/605.1.15")
	if got := x.cookies(); strings.Contains(got, "SameSite") {
		t.Errorf("got %s", got)
	}
}
