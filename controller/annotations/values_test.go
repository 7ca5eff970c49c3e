package annotations_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Values that ingress-nginx accepts.
func TestValues(t *testing.T) {
	type options = annotations.Options
	for _, c := range []struct {
		annotations []string
		got         func(options) any
		want        any
	}{
		{[]string{"proxy-body-size", "0"}, func(o options) any { return o.Proxy.BodySize }, int64(0)},
		{[]string{"proxy-body-size", "1024"}, func(o options) any { return o.Proxy.BodySize }, int64(1024)},
		{[]string{"proxy-body-size", "8M"}, func(o options) any { return o.Proxy.BodySize }, int64(8 << 20)},
		{[]string{"proxy-body-size", "2g"}, func(o options) any { return o.Proxy.BodySize }, int64(2 << 30)},
		{[]string{"proxy-body-size", "16k"}, func(o options) any { return o.Proxy.BodySize }, int64(16 << 10)},
		{[]string{"limit-rate", "10", "limit-rate-after", "1"}, func(o options) any { return [2]int64{o.Limits.Rate, o.Limits.RateAfter} },
			[2]int64{10240, 1024}},
		{[]string{"force-ssl-redirect", "T"}, func(o options) any { return o.Redirects.ForceSSL }, true},
		{[]string{"proxy-next-upstream", "off"}, func(o options) any { return o.Proxy.NextUpstream }, annotations.NextUpstream{}},
		{[]string{"proxy-next-upstream", "timeout  http_503 http_429"}, func(o options) any { return o.Proxy.NextUpstream },
			annotations.NextUpstream{Timeout: true, Statuses: []int{503, 429}}},
		{[]string{"allowlist-source-range", "10.1.2.3/8,\n 192.0.2.7 ,2001:db8::1,::ffff:198.51.100.0/120"},
			func(o options) any { return fmt.Sprint(o.Access.Allow) },
			"[10.0.0.0/8 192.0.2.7/32 2001:db8::1/128 198.51.100.0/24]"},
		{[]string{"backend-protocol", "auto_http"}, func(o options) any { return o.Backend.Protocol }, annotations.HTTP},
		{[]string{"backend-protocol", "Https"}, func(o options) any { return o.Backend.Protocol }, annotations.HTTPS},
		{[]string{"load-balance", "least_conn"}, func(o options) any { return o.Backend.LoadBalance }, annotations.LeastConn},
		{[]string{"server-alias", "B.test,a.test,b.test"}, func(o options) any { return o.Rewrite.Aliases }, []string{"a.test", "b.test"}},
		{[]string{"proxy-cookie-path", "/a  /"}, func(o options) any { return o.Rewrite.CookiePath },
			annotations.Replacement{From: "/a", To: "/"}},
		{[]string{"proxy-redirect-from", "off"}, func(o options) any { return o.Rewrite.LocationFrom.IsZero() }, true},
		{[]string{"affinity", "cookie", "session-cookie-samesite", "strict"}, func(o options) any { return o.Affinity.Cookie.SameSite },
			http.SameSiteStrictMode},
		{[]string{"affinity", "cookie", "session-cookie-secure", "false"}, func(o options) any { return *o.Affinity.Cookie.Secure }, false},
		{[]string{"affinity", "cookie", "session-cookie-domain", ".A.test"}, func(o options) any { return o.Affinity.Cookie.Domain }, "a.test"},
		{[]string{"auth-url", "https://a.test", "auth-response-headers", "x-user,\nX-Mail"},
			func(o options) any { return o.Auth.ResponseHeaders }, []string{"X-User", "X-Mail"}},
		{[]string{"auth-url", "https://a.test", "auth-cache-duration", "200 202 10m, 401 5s, 403 2"},
			func(o options) any { return o.Auth.CacheDuration },
			map[int]time.Duration{200: 10 * time.Minute, 202: 10 * time.Minute, 401: 5 * time.Second, 403: 2 * time.Second}},
		{[]string{"auth-url", "https://a.test"}, func(o options) any { return o.Auth.CacheDuration[202] }, 5 * time.Minute},
		{[]string{"auth-tls-secret", "ca"}, func(o options) any { return o.ClientTLS.Verify }, annotations.VerifyOn},
		{[]string{"auth-tls-secret", "shop/ca", "auth-tls-verify-client", "optional"}, func(o options) any { return o.ClientTLS.Verify },
			annotations.VerifyOptional},
		{[]string{"auth-tls-secret", "ca", "auth-tls-match-cn", "CN=a.*"},
			func(o options) any { return o.ClientTLS.MatchCN.MatchString("CN=abc") }, true},
		{[]string{"enable-cors", "true", "cors-allow-origin", "*"}, func(o options) any { return o.CORS.Origins }, []string{"*"}},
		{[]string{"enable-cors", "true", "cors-allow-headers", "X-A,X-B"}, func(o options) any { return o.CORS.Headers }, "X-A,X-B"},
		{[]string{"enable-cors", "true", "cors-allow-methods", "GET,\n  PUT"}, func(o options) any { return o.CORS.Methods }, "GET, PUT"},
		{[]string{"enable-cors", "true", "cors-max-age", "-1"}, func(o options) any { return o.CORS.MaxAge }, -time.Second},
		{[]string{"mirror-target", "https://test.env.com/$request_uri"}, func(o options) any { return o.Mirror.Target.String() },
			"https://test.env.com/$request_uri"},
		{[]string{"rewrite-target", "$1"}, func(o options) any { return o.Rewrite.Target.String() }, "$1"},
		{[]string{"permanent-redirect", "/new"}, func(o options) any { return o.Redirects.Permanent.String() }, "/new"},
		{[]string{"enable-access-log", "false"}, func(o options) any { return o.Unlogged }, true},
	} {
		o, diagnostics := parse(c.annotations...)
		if len(diagnostics) != 0 {
			t.Errorf("%q: %v", c.annotations, diagnostics)
		}
		if got := c.got(o); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %v, want %v", c.annotations, got, c.want)
		}
	}
}

func TestInvalidValues(t *testing.T) {
	for _, c := range [][2]string{
		{"proxy-body-size", "8 m"}, {"proxy-body-size", "-1"}, {"proxy-body-size", "k"},
		{"proxy-body-size", "9999999999999g"}, {"proxy-body-size", "8t"},
		{"limit-rps", "1.5"}, {"limit-rps", "+1"}, {"limit-rps", "99999999999"},
		{"permanent-redirect", "//evil.test"}, {"permanent-redirect", `/\evil.test`},
		{"permanent-redirect", "https://a:b@c.test"}, {"permanent-redirect", "https://"},
		{"permanent-redirect", "https://a b.test"}, {"permanent-redirect", "https://a..test"}, {"temporal-redirect", "javascript:alert(1)"},
		{"app-root", "app"}, {"app-root", "https://a.test/"}, {"app-root", "/a b"},
		{"rewrite-target", "a/$1"}, {"rewrite-target", "$scheme://a"}, {"rewrite-target", "/a b"},
		{"rewrite-target", "/${1"}, {"rewrite-target", "/$unknown"},
		{"upstream-vhost", "a/b"}, {"upstream-vhost", "a@b"}, {"server-alias", "a.test,*"}, {"server-alias", "a_b"}, {"custom-headers", "/x"},
		{"custom-http-errors", "404,"}, {"custom-http-errors", "399"}, {"custom-http-errors", "404,x"}, {"default-backend", "other/errors"},
	} {
		o, diagnostics := parse(c[0], c[1])
		if c[1] == "404," { // an extra comma gets no Diagnostic
			if len(diagnostics) != 0 {
				t.Errorf("%s %q: %v", c[0], c[1], diagnostics)
			}
			continue
		}
		if len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeInvalid || !same(o, defaults) {
			t.Errorf("%s %q: got %v, want the value rejected and the default", c[0], c[1], diagnostics)
		}
	}
}

// A security annotation without its required annotation blocks the route.
func TestIncompleteSecurityAnnotationsBlock(t *testing.T) {
	for _, c := range []struct {
		annotations []string
		blocked     bool
	}{
		{[]string{"auth-type", "basic"}, true},
		{[]string{"auth-type", "basic", "auth-secret", "users"}, false},
		{[]string{"auth-type", "basic", "auth-secret", ""}, true},
		{[]string{"backend-protocol", "HTTPS", "proxy-ssl-verify", "on"}, true},
		{[]string{"backend-protocol", "GRPCS", "proxy-ssl-verify", "on", "proxy-ssl-secret", "ca"}, false},
		{[]string{"backend-protocol", "HTTP", "proxy-ssl-verify", "on"}, false},
		{[]string{"allowlist-source-range", ","}, true},
		{[]string{"allowlist-source-range", "10.0.0.0/8,oops"}, true},
		{[]string{"auth-tls-verify-client", "on"}, false}, // without auth-tls-secret, ingress-nginx requires no certificate
	} {
		if o, diagnostics := parse(c.annotations...); (o.Blocked != "") != c.blocked {
			t.Errorf("%q: blocked is %q, diagnostics %v", c.annotations, o.Blocked, diagnostics)
		}
	}
	o, diagnostics := parse("auth-secret", "users")
	if o.Blocked != "" || len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeNotSupported {
		t.Errorf("auth-secret alone: %q, %v", o.Blocked, diagnostics)
	}
}

func TestAliases(t *testing.T) {
	for _, c := range []struct {
		old, now    string
		diagnostics int
	}{{"10.0.0.0/8", "10.0.0.0/8", 0}, {"10.0.0.0/8", "192.0.2.0/24", 1}, {"oops", "192.0.2.0/24", 1}} {
		o, diagnostics := parse("whitelist-source-range", c.old, "allowlist-source-range", c.now)
		if len(diagnostics) != c.diagnostics || o.Blocked != "" || fmt.Sprint(o.Access.Allow) != "["+c.now+"]" {
			t.Errorf("%+v: got %v, blocked %q, %v", c, o.Access.Allow, o.Blocked, diagnostics)
		}
	}
}

// The default of cors-allow-origin is all origins. A typing mistake must not allow all of them.
func TestInvalidOriginsAreOmitted(t *testing.T) {
	o, diagnostics := parse("enable-cors", "true", "cors-allow-origin", "https://a.test, b.test, null")
	if len(diagnostics) != 1 || len(o.CORS.Origins) != 1 || o.CORS.Origins[0] != "https://a.test" {
		t.Errorf("got %v and %v", o.CORS.Origins, diagnostics)
	}
	o, diagnostics = parse("enable-cors", "true", "cors-allow-origin", "a.test")
	if len(diagnostics) != 1 || len(o.CORS.Origins) != 0 {
		t.Errorf("got %v and %v", o.CORS.Origins, diagnostics)
	}
}

func TestCanary(t *testing.T) {
	for value, canary := range map[string]bool{"true": true, "1": true, "T": true, "false": false, "0": false, "yes": true, "": false} {
		o, diagnostics := parse("canary", value, "canary-weight", "10", "rewrite-target", "x", "auth-type", "digest", "server-snippet", "x",
			"auth-typ", "x")
		if o.Canary.Enabled != canary {
			t.Errorf("canary %q: Enabled is %v", value, o.Canary.Enabled)
		}
		if !canary {
			continue
		}
		if o.Blocked != "" || o.Canary.Weight != 10 {
			t.Errorf("canary %q: blocked %q, weight %d", value, o.Blocked, o.Canary.Weight)
		}
		if invalid := value == "yes"; invalid != (len(diagnostics) == 1) {
			t.Errorf("canary %q: got diagnostics %v", value, diagnostics)
		}
	}
}

func TestCanaryKeepsItsOwnAnnotations(t *testing.T) {
	o, diagnostics := parse("canary", "true", "load-balance", "ewma", "upstream-hash-by", "$host", "affinity", "cookie",
		"affinity-canary-behavior", "legacy",
		"canary-wieght", "5")
	if o.Backend.LoadBalance != annotations.EWMA || o.Backend.HashBy.IsZero() || !o.Affinity.LeaveCanary {
		t.Errorf("got %+v", o)
	}
	if len(diagnostics) != 1 || !strings.Contains(diagnostics[0].Reason, `did you mean "canary-weight"?`) {
		t.Errorf("got diagnostics %v", diagnostics)
	}
}

func TestCanaryWeights(t *testing.T) {
	for _, c := range []struct {
		weight, total   string
		want, wantTotal int
		diagnostics     int
	}{
		{"10", "", 10, 100, 0}, {"150", "", 100, 100, 1}, {"150", "200", 150, 200, 0}, {"10", "50", 10, 100, 1}, {"10", "0", 10, 100, 1},
		{"-1", "", 0, 100, 1}, {"0", "", 0, 100, 0}, {"300", "200", 200, 200, 1},
	} {
		o, diagnostics := parse("canary", "true", "canary-weight", c.weight, "canary-weight-total", c.total)
		if o.Canary.Weight != c.want || o.Canary.WeightTotal != c.wantTotal || len(diagnostics) != c.diagnostics {
			t.Errorf("%+v: got %d of %d, %v", c, o.Canary.Weight, o.Canary.WeightTotal, diagnostics)
		}
	}
}

// An invalid pattern must not enable the values always and never.
func TestInvalidPatternMatchesNothing(t *testing.T) {
	o, _ := parse("canary", "true", "canary-by-header", "X-C", "canary-by-header-pattern", "(?=a)")
	for _, value := range []string{"", "always", "a", "\x00", "ä", "\xff"} {
		if o.Canary.Pattern == nil || o.Canary.Pattern.MatchString(value) {
			t.Errorf("%q matches", value)
		}
	}
}
