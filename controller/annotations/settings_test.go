package annotations_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// settingExamples are valid and invalid values for each key. Keys that set the default of an
// annotation use its examples.
var settingExamples = map[string]example{
	"enable-sticky-sessions":          {good: "true", bad: "x"},
	"retry-non-idempotent":            {good: "true", bad: "x"},
	"http-redirect-code":              {good: "301", bad: "303"},
	"hsts":                            {good: "false", bad: "x"},
	"hsts-max-age":                    {good: "0", bad: "1y"},
	"hsts-include-subdomains":         {good: "false", bad: "x"},
	"hsts-preload":                    {good: "true", bad: "x"},
	"use-forwarded-headers":           {good: "true", bad: "x"},
	"proxy-real-ip-cidr":              {good: "10.0.0.0/8", bad: "10.0.0.0/99"},
	"allow-cross-namespace-resources": {good: "true", bad: "x"},
	"limit-req-status-code":           {good: "429", bad: "200"},
	"limit-conn-status-code":          {good: "429", bad: "600"},
	"access-log-format":               {good: "combined", bad: "xml"},
	"disable-access-log":              {good: "true", bad: "x"},
	"log-level":                       {good: "debug", bad: "loud"},
	"enable-vts-status":               {good: "true", bad: "x"},
}

func TestEverySettingHasEffectOrDiagnostic(t *testing.T) {
	untouched := annotations.DefaultSettings()
	seen := map[string]bool{}
	for _, e := range annotations.SettingsList() {
		if seen[e.Key] {
			t.Errorf("%s is in the list twice", e.Key)
		}
		seen[e.Key] = true
		switch e.Support {
		case annotations.Blocks:
			if s, diagnostics := annotations.ParseSettings(map[string]string{e.Key: "x"}); s.Options.Blocked == "" || len(diagnostics) != 1 {
				t.Errorf("%s does not block the routes: %v", e.Key, diagnostics)
			}
		case annotations.NoEffect:
			if s, diagnostics := annotations.ParseSettings(map[string]string{e.Key: "x"}); !reflect.DeepEqual(s, untouched) ||
				len(diagnostics) != 1 {
				t.Errorf("%s: got %+v and %v, want one Diagnostic", e.Key, s, diagnostics)
			}
		case annotations.Supported:
			checkSetting(t, e)
		}
	}
}

func checkSetting(t *testing.T, e annotations.Setting) {
	t.Helper()
	ex, ok := settingExamples[e.Key]
	if !ok {
		ex, ok = examples[strings.Replace(e.Key, "global-auth-", "auth-", 1)]
	}
	if !ok {
		t.Errorf("%s has no example", e.Key)
		return
	}
	with := func(value string) map[string]string {
		data := map[string]string{e.Key: value}
		switch {
		case strings.HasPrefix(e.Key, "global-auth-") && e.Key != "global-auth-url":
			data["global-auth-url"] = "https://auth.test"
		case e.With != "":
			data[e.With] = ex.with[1]
		}
		return data
	}
	base := with("")
	delete(base, e.Key)
	before, _ := annotations.ParseSettings(base)
	if s, diagnostics := annotations.ParseSettings(with(ex.good)); len(diagnostics) != 0 || s.Options.Blocked != "" ||
		reflect.DeepEqual(s, before) {
		t.Errorf("%s: %q: got %v, want an effect", e.Key, ex.good, diagnostics)
	}
	s, diagnostics := annotations.ParseSettings(with(ex.bad))
	if len(diagnostics) != 1 || diagnostics[0].Name != e.Key || e.Security != (s.Options.Blocked != "") {
		t.Errorf("%s: %q: got %v, blocked %q", e.Key, ex.bad, diagnostics, s.Options.Blocked)
	}
}

// An invalid list of trusted proxies must not trust all clients.
func TestInvalidProxyListTrustsNoProxy(t *testing.T) {
	s, _ := annotations.ParseSettings(map[string]string{"use-forwarded-headers": "true", "proxy-real-ip-cidr": "10.0.0.0-10.0.0.9"})
	if len(s.RealIP) != 0 {
		t.Errorf("trusted proxies: %v", s.RealIP)
	}
}

func TestSettingsAreDefaultsOfAnnotations(t *testing.T) {
	s, diagnostics := annotations.ParseSettings(map[string]string{
		"ssl-redirect": "false", "proxy-read-timeout": "600", "enable-sticky-sessions": "true", "custom-http-errors": "404,503",
		"whitelist-source-range": "10.0.0.0/8", "retry-non-idempotent": "true", "global-auth-url": "https://auth.test",
		"global-auth-method": "POST",
	})
	if len(diagnostics) != 0 {
		t.Fatalf("diagnostics: %v", diagnostics)
	}
	o, _ := annotations.Parse(nil, s.Options)
	if o.Redirects.SSL || o.Proxy.ReadTimeout != 10*time.Minute || !o.Affinity.Enabled || !slices.Equal(o.Errors.Codes, []int{404, 503}) ||
		len(o.Access.Allow) != 1 || o.Auth.URL.IsZero() || o.Auth.Method != "POST" {
		t.Errorf("without annotations: %+v", o)
	}
	o, diagnostics = annotations.Parse(all("ssl-redirect", "true", "affinity", "none", "disable-proxy-intercept-errors", "true",
		"proxy-next-upstream", "error",
		"allowlist-source-range", "192.0.2.0/24", "auth-url", "https://other.test"), s.Options)
	if len(diagnostics) != 0 || !o.Redirects.SSL || o.Affinity.Enabled || o.Errors.Codes != nil || !o.Proxy.NextUpstream.NonIdempotent ||
		!slices.Equal(o.Access.Allow, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}) || o.Auth.Method != "" {
		t.Errorf("with annotations: %+v, %v", o, diagnostics)
	}
	if o, _ = annotations.Parse(all("enable-global-auth", "false"), s.Options); !o.Auth.URL.IsZero() {
		t.Errorf("enable-global-auth false leaves %+v", o.Auth)
	}
}

// Keys with "whitelist" or "auth" in their name that do not affect routes must not block them.
func TestOtherKeysWithSecurityWordsBlockNothing(t *testing.T) {
	for _, key := range []string{"nginx-status-ipv4-whitelist", "nginx-status-ipv6-whitelist", "annotation-value-word-blocklist",
		"no-auth-locations"} {
		s, diagnostics := annotations.ParseSettings(map[string]string{key: "127.0.0.1"})
		if len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeNotSupported || s.Options.Blocked != "" {
			t.Errorf("%s: got %v, blocked %q", key, diagnostics, s.Options.Blocked)
		}
	}
}

// An invalid security setting blocks Ingresses with and without annotations, and reports it.
func TestInvalidSecuritySettingBlocksAllRoutes(t *testing.T) {
	for key, value := range map[string]string{"whitelist-source-range": "10.0.0/8", "global-auth-url": "auth.test",
		"http-snippet": "deny all;",
		"block-cidrs":  "10.0.0.1", "blocklist": "x", "denylist-source-range": ""} {
		s, diagnostics := annotations.ParseSettings(map[string]string{key: value})
		if len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeBlocked {
			t.Errorf("%s: got %v", key, diagnostics)
		}
		for _, more := range []map[string]string{nil, all("proxy-read-timeout", "5"), all("canary", "true")} {
			if o, _ := annotations.Parse(more, s.Options); !strings.Contains(o.Blocked, key) {
				t.Errorf("%s: Blocked is %q", key, o.Blocked)
			}
		}
	}
}

func TestMisspelledKeysGetSuggestion(t *testing.T) {
	_, diagnostics := annotations.ParseSettings(map[string]string{"hsts-maxage": "5", "unheard-of": "x"})
	if len(diagnostics) != 2 || !strings.Contains(diagnostics[0].Reason, `did you mean "hsts-max-age"?`) ||
		diagnostics[1].Code != annotations.CodeNotSupported {
		t.Errorf("got %v", diagnostics)
	}
}
