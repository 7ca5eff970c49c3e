package annotations_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// example is a valid and an invalid value of an annotation. with are the annotations that enable
// its feature.
type example struct {
	good, bad string
	with      []string
}

var (
	onCanary   = []string{"canary", "true"}
	onAffinity = []string{"affinity", "cookie"}
	onBasic    = []string{"auth-type", "basic", "auth-secret", "users"}
	onURL      = []string{"auth-url", "https://auth.test/check"}
	onMTLS     = []string{"auth-tls-secret", "shop/ca"}
	onLimit    = []string{"limit-rpm", "60"}
	onTLS      = []string{"backend-protocol", "HTTPS", "proxy-ssl-secret", "shop/tls"}
	onCORS     = []string{"enable-cors", "true"}
	onMirror   = []string{"mirror-target", "https://mirror.test"}
)

var examples = map[string]example{
	"canary":                   {"true", "tru", nil},
	"canary-by-header":         {"X-Canary", "X Canary", onCanary},
	"canary-by-header-value":   {"yes", "yes\r\nX: y", onCanary},
	"canary-by-header-pattern": {"^(a|b)$", "(?=a)", onCanary},
	"canary-by-cookie":         {"canary", "a;b", onCanary},
	"canary-weight":            {"10", "-1", onCanary},
	"canary-weight-total":      {"1000", "x", onCanary},

	"affinity":                                 {"cookie", "ip", nil},
	"affinity-mode":                            {"persistent", "sticky", onAffinity},
	"affinity-canary-behavior":                 {"legacy", "x", onAffinity},
	"session-cookie-name":                      {"stay", "st ay", onAffinity},
	"session-cookie-path":                      {"/a", "/a; Domain=.test", onAffinity},
	"session-cookie-domain":                    {".shop.test", "shop.test; Path=/", onAffinity},
	"session-cookie-expires":                   {"172800", "2d", onAffinity},
	"session-cookie-max-age":                   {"172800", "-1", onAffinity},
	"session-cookie-samesite":                  {"Lax", "Loose", onAffinity},
	"session-cookie-conditional-samesite-none": {"true", "x", onAffinity},
	"session-cookie-secure":                    {"true", "x", onAffinity},
	"session-cookie-partitioned":               {"true", "x", onAffinity},
	"session-cookie-change-on-failure":         {"true", "x", onAffinity},

	"ssl-redirect":            {"false", "off", nil},
	"force-ssl-redirect":      {"true", "on", nil},
	"preserve-trailing-slash": {"true", "yes", nil},
	"permanent-redirect":      {"https://shop.test$request_uri", "ftp://shop.test", nil},
	"permanent-redirect-code": {"308", "200", []string{"permanent-redirect", "/new"}},
	"temporal-redirect":       {"https://${host}/sorry", "https://$nothing/", nil},
	"temporal-redirect-code":  {"307", "309", []string{"temporal-redirect", "https://b.test"}},
	"app-root":                {"/app", "//evil.test", nil},
	"from-to-www-redirect":    {"true", "x", nil},
	"use-port-in-redirects":   {"true", "x", nil},
	"relative-redirects":      {"true", "x", nil},

	"rewrite-target":      {"/a/$1$2", "https://shop.test/", nil},
	"use-regex":           {"true", "x", nil},
	"upstream-vhost":      {"inner.test:8080", "a b", nil},
	"x-forwarded-prefix":  {"/a/$1", "/a\nX: y", nil},
	"custom-headers":      {"shop/headers", "shop/head/ers", nil},
	"server-alias":        {"a.test, *.B.test", `~^www\d+\.test$`, nil},
	"proxy-redirect-from": {"http://$host/", "~^http:", nil},
	"proxy-redirect-to":   {"https://$host/", "https:// /", []string{"proxy-redirect-from", "http://a.test/"}},
	"proxy-cookie-domain": {"inner.test shop.test", "inner.test", nil},
	"proxy-cookie-path":   {"/inner /", `/ "/; Secure"`, nil},

	"auth-type":                  {"basic", "digest", []string{"auth-secret", "users"}},
	"auth-secret":                {"shop/users", "shop/../users", []string{"auth-type", "basic"}},
	"auth-secret-type":           {"auth-map", "auth-list", onBasic},
	"auth-realm":                 {"Shop - members", "a\r\nSet-Cookie: x=y", onBasic},
	"auth-url":                   {"http://$host:8080/check?to=$escaped_request_uri", "auth.test/check", nil},
	"auth-method":                {"POST", "CONNECT", onURL},
	"auth-signin":                {"$scheme://$host/login", "javascript:alert(1)", onURL},
	"auth-signin-redirect-param": {"back", "a&b=c d", onURL},
	"auth-response-headers":      {"X-User, x-email", "X-User: a", onURL},
	"auth-request-redirect":      {"https://$host$request_uri", "\x00", onURL},
	"auth-proxy-set-headers":     {"headers", "a b", onURL},
	"auth-cache-key":             {"$remote_user$http_authorization", "$nothing", onURL},
	"auth-cache-duration":        {"200 202 10m, 401 5m", "200 10 weeks", onURL},
	"auth-always-set-cookie":     {"true", "x", onURL},
	"enable-global-auth":         {"false", "x", nil},
	"satisfy":                    {"any", "some", nil},

	"auth-tls-secret":                       {"shop/ca", "a/b/c", nil},
	"auth-tls-verify-client":                {"optional_no_ca", "maybe", onMTLS},
	"auth-tls-verify-depth":                 {"3", "-1", onMTLS},
	"auth-tls-match-cn":                     {"CN=(a|b)", "O=a", onMTLS},
	"auth-tls-pass-certificate-to-upstream": {"true", "x", onMTLS},
	"auth-tls-error-page":                   {"https://shop.test/no", "//evil.test", onMTLS},

	"allowlist-source-range": {"10.0.0.0/8,192.0.2.7", "10.0.0.0/33", nil},
	"whitelist-source-range": {"::1, fe80::/10", "10.0.0", nil},
	"denylist-source-range":  {"10.0.0.1", "localhost", nil},

	"limit-rps":              {"5", "-5", nil},
	"limit-rpm":              {"5", "5/m", nil},
	"limit-connections":      {"5", "x", nil},
	"limit-burst-multiplier": {"3", "-1", onLimit},
	"limit-allowlist":        {"10.0.0.0/8", "x", onLimit},
	"limit-whitelist":        {"10.0.0.0/8", "x", onLimit},
	"limit-rate":             {"100", "100k", nil},
	"limit-rate-after":       {"100", "x", []string{"limit-rate", "5"}},

	"proxy-connect-timeout":       {"10", "10s", nil},
	"proxy-read-timeout":          {"10", "0", nil},
	"proxy-send-timeout":          {"10", "x", nil},
	"proxy-body-size":             {"8m", "8mb", nil},
	"proxy-next-upstream":         {"error http_502 non_idempotent", "error http_999", nil},
	"proxy-next-upstream-tries":   {"0", "-1", nil},
	"proxy-next-upstream-timeout": {"30", "-1", nil},
	"proxy-buffering":             {"on", "true", nil},
	"proxy-request-buffering":     {"on", "yes", nil},

	"load-balance":           {"ewma", "ip_hash", nil},
	"upstream-hash-by":       {"$request_uri-${http_x_user}", "$", nil},
	"service-upstream":       {"true", "x", nil},
	"backend-protocol":       {"grpcs", "FCGI", nil},
	"proxy-ssl-secret":       {"shop/tls", "x y", []string{"backend-protocol", "HTTPS"}},
	"proxy-ssl-verify":       {"on", "true", onTLS},
	"proxy-ssl-verify-depth": {"2", "x", onTLS},
	"proxy-ssl-name":         {"inner.test", "inner test", onTLS},
	"proxy-ssl-server-name":  {"on", "inner.test", onTLS},

	"custom-http-errors":             {"404, 503", "302", nil},
	"disable-proxy-intercept-errors": {"true", "x", []string{"custom-http-errors", "404"}},
	"default-backend":                {"errors", "errors:80", nil},

	"enable-cors":            {"true", "x", nil},
	"cors-allow-origin":      {"https://a.test, https://*.b.test:8443", "a.test", onCORS},
	"cors-allow-methods":     {"GET, POST", "GET\nX: y", onCORS},
	"cors-allow-headers":     {"X-A,X-B", "X-A: b", onCORS},
	"cors-allow-credentials": {"false", "x", onCORS},
	"cors-expose-headers":    {"*, X-A", "X-A;X-B", onCORS},
	"cors-max-age":           {"600", "10m", onCORS},

	"mirror-target":       {"https://mirror.test/$request_uri", "mirror.test", nil},
	"mirror-request-body": {"off", "no", onMirror},
	"mirror-host":         {"inner.test", "a/b", onMirror},

	"enable-access-log": {"false", "off", nil},
}

// Every annotation in a manifest has an effect or gets a Diagnostic.
func TestEveryAnnotationHasEffectOrDiagnostic(t *testing.T) {
	for _, e := range annotations.List() {
		if e.Support == annotations.Supported {
			ex, ok := examples[e.Name]
			if !ok {
				t.Errorf("%s has no example", e.Name)
				continue
			}
			acceptsGood(t, e, ex)
			rejectsBad(t, e, ex)
			continue
		}
		o, diagnostics := parse(e.Name, "true-but-odd")
		switch {
		case e.Support == annotations.Blocks && (o.Blocked == "" || len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeBlocked):
			t.Errorf("%s does not block the route: %v", e.Name, diagnostics)
		case e.Support == annotations.NoEffect && !same(o, defaults):
			t.Errorf("%s has an effect: %+v", e.Name, o)
		case e.Support == annotations.NoEffect && e.With == "" && (len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeNotSupported):
			t.Errorf("%s: got %v, want one Diagnostic", e.Name, diagnostics)
		case e.With != "" && len(diagnostics) != 0:
			t.Errorf("%s without its feature: got %v, want no Diagnostic", e.Name, diagnostics)
		}
	}
}

func acceptsGood(t *testing.T, e annotations.Entry, ex example) {
	t.Helper()
	// enable-global-auth has an effect only if the ConfigMap sets authentication.
	from := defaults
	if e.Name == "enable-global-auth" {
		s, _ := annotations.ParseSettings(map[string]string{"global-auth-url": "https://auth.test"})
		from = s.Options
	}
	before, _ := annotations.Parse(all(ex.with...), from)
	o, diagnostics := annotations.Parse(all(append(ex.with, e.Name, ex.good)...), from)
	if len(diagnostics) != 0 || o.Blocked != "" {
		t.Errorf("%s: %q is rejected: %v", e.Name, ex.good, diagnostics)
	}
	if same(o, before) {
		t.Errorf("%s: %q changes nothing", e.Name, ex.good)
	}
}

func rejectsBad(t *testing.T, e annotations.Entry, ex example) {
	t.Helper()
	before, _ := parse(ex.with...)
	o, diagnostics := parse(append(ex.with, e.Name, ex.bad)...)
	want := annotations.CodeInvalid
	if e.Security {
		want = annotations.CodeBlocked
	}
	if len(diagnostics) != 1 || diagnostics[0].Code != want || diagnostics[0].Name != annotations.Prefix+e.Name {
		t.Errorf("%s: %q: got %v, want one %s", e.Name, ex.bad, diagnostics, want)
	}
	if e.Security != (o.Blocked != "") {
		t.Errorf("%s: %q: blocked is %q", e.Name, ex.bad, o.Blocked)
	}
	o.Blocked = before.Blocked
	if e.Otherwise == "" && !same(o, before) {
		t.Errorf("%s: %q is rejected, but changes the options", e.Name, ex.bad)
	}
	// Without its feature, the annotation gets no Diagnostic.
	if _, diagnostics := parse(e.Name, ex.bad); e.With != "" && len(diagnostics) != 0 {
		t.Errorf("%s alone: got %v, want no Diagnostic", e.Name, diagnostics)
	}
}
