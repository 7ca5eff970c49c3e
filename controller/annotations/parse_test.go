package annotations_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// all returns annotations from names and values.
func all(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[annotations.Prefix+pairs[i]] = pairs[i+1]
	}
	return m
}

func parse(pairs ...string) (annotations.Options, []annotations.Diagnostic) {
	return annotations.Parse(all(pairs...), defaults)
}

// defaults are the options of an Ingress without annotations.
var defaults = annotations.DefaultSettings().Options

// same compares options, which hold slices and maps.
func same(a, b annotations.Options) bool { return reflect.DeepEqual(a, b) }

func TestParseIgnoresOtherPrefixes(t *testing.T) {
	o, diagnostics := annotations.Parse(map[string]string{
		"kubernetes.io/ingress.class": "nginx",
		"example.com/auth-type":       "basic",
		"nginx.ingress.kubernetes.io": "no name",
	}, defaults)
	if !same(o, defaults) || len(diagnostics) != 0 {
		t.Errorf("got %+v and %v", o, diagnostics)
	}
}

func TestTimeouts(t *testing.T) {
	o, diagnostics := parse("proxy-connect-timeout", " 5 ", "proxy-read-timeout", "3600", "proxy-send-timeout", "31536000")
	want := defaults
	want.Proxy.ConnectTimeout, want.Proxy.ReadTimeout, want.Proxy.SendTimeout = 5*time.Second, time.Hour, annotations.MaxTimeout
	if !same(o, want) || len(diagnostics) != 0 {
		t.Errorf("got %+v and %v, want %+v", o, diagnostics, want)
	}
}

func TestInvalidTimeoutsKeepDefault(t *testing.T) {
	for value, hint := range map[string]string{
		"30s":                   `write whole seconds, "30"`,
		"1m30s":                 `write whole seconds, "90"`,
		"0":                     "1 to 31536000 seconds",
		"31536001":              "1 to 31536000 seconds",
		"18446744073709551616":  "not a whole number",
		"-1":                    "1 to 31536000 seconds",
		"+5":                    "not a whole number",
		"5.5":                   "not a whole number",
		"1 0":                   "not a whole number",
		"soon":                  "not a whole number",
		"9223372036854775807ns": "not a whole number",
	} {
		o, diagnostics := parse("proxy-read-timeout", value)
		if !same(o, defaults) {
			t.Errorf("%q: got %+v, want the default", value, o)
		}
		if len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeInvalid || !strings.Contains(diagnostics[0].Reason, hint) {
			t.Errorf("%q: got diagnostics %v, want one with %q", value, diagnostics, hint)
		}
	}
}

// The most important rule: an Ingress is not served without the security that it requests.
func TestSecurityAnnotationsFailClosed(t *testing.T) {
	for _, name := range []string{
		"auth-type", "auth-url", "auth-snippet", "satisfy", "enable-global-auth",
		"whitelist-source-range", "allowlist-source-range", "denylist-source-range", "enable-modsecurity", "enable-owasp-core-rules",
		"server-snippet", "configuration-snippet", "modsecurity-snippet", "ssl-passthrough", "backend-protocol",
		// These names are unknown, but look like security annotations.
		"auth-typ", "Auth-Type", "auth-new-method", "whitelist-source-ranges", "blocklist", "location-snippet",
	} {
		o, diagnostics := parse(name, "?")
		if o.Blocked == "" || !strings.Contains(o.Blocked, name) {
			t.Errorf("%s: the route is not blocked: Blocked is %q", name, o.Blocked)
		}
		if len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeBlocked || diagnostics[0].Name != annotations.Prefix+name {
			t.Errorf("%s: got diagnostics %v", name, diagnostics)
		}
	}
}

func TestEmptySecurityAnnotationsFailClosed(t *testing.T) {
	for _, name := range []string{"auth-type", "auth-secret", "auth-url", "whitelist-source-range", "denylist-source-range",
		"auth-tls-secret"} {
		if o, _ := parse(name, ""); o.Blocked == "" {
			t.Errorf("%s: an empty value does not block the route", name)
		}
	}
}

// Helm charts set many defaults. Warnings about those would hide important ones.
func TestIdleValuesGetNoDiagnostic(t *testing.T) {
	for name, value := range map[string]string{
		"ssl-redirect": "true", "force-ssl-redirect": "False", "use-regex": "false", "affinity": "none",
		"backend-protocol": "HTTP", "satisfy": "all", "enable-modsecurity": "false",
		"load-balance": "round_robin", "proxy-buffering": "off", "rewrite-target": "", "server-snippet": "",
		"enable-global-auth": "true", "ssl-passthrough": "false", "limit-rps": "0", "canary": "", "proxy-read-timeout": "",
		// The features of these options are off.
		"session-cookie-name": "no name", "canary-weight": "x", "cors-max-age": "x", "permanent-redirect-code": "x", "proxy-ssl-verify": "x",
		"auth-realm": "a\nb", "auth-tls-verify-client": "x", "auth-signin": "x", "upstream-hash-by-subset": "true", "influxdb-host": "x",
	} {
		if o, diagnostics := parse(name, value); !same(o, defaults) || len(diagnostics) != 0 {
			t.Errorf("%s %q: got %+v and %v", name, value, o, diagnostics)
		}
	}
}

func TestAnnotationsWithoutEffectGetDiagnostic(t *testing.T) {
	for name, value := range map[string]string{
		"proxy-buffer-size": "8k", "ssl-passthrough-x": "1", "ssl-ciphers": "x", "enable-rewrite-log": "true", "global-rate-limit": "5",
		"client-body-buffer-size": "8k", "http2-push-preload": "true", "unheard-of": "x", "stream-snippet": "x",
	} {
		o, diagnostics := parse(name, value)
		if !same(o, defaults) {
			t.Errorf("%s: got %+v", name, o)
		}
		if len(diagnostics) != 1 || diagnostics[0].Code != annotations.CodeNotSupported {
			t.Errorf("%s: got diagnostics %v", name, diagnostics)
		}
	}
}

func TestMisspelledNamesGetSuggestion(t *testing.T) {
	for name, want := range map[string]string{
		"proxy-read-timout":   "proxy-read-timeout", // missing letter
		"proxy-read-timeoutt": "proxy-read-timeout", // extra letter
		"proxy-raed-timeout":  "proxy-read-timeout", // swapped letters
		"proxy_read-timeout":  "proxy-read-timeout", // replaced letter
		"auth-typ":            "auth-type",
	} {
		_, diagnostics := parse(name, "5")
		if len(diagnostics) != 1 || !strings.Contains(diagnostics[0].Reason, `did you mean "`+want+`"?`) {
			t.Errorf("%s: got %v, want the suggestion %s", name, diagnostics, want)
		}
	}
	if _, diagnostics := parse("proxy-timeout", "5"); len(diagnostics) != 1 || strings.Contains(diagnostics[0].Reason, "did you mean") {
		t.Errorf("proxy-timeout: got %v, want no suggestion", diagnostics)
	}
}

// The order of a map must not change Events.
func TestDiagnosticsAreSorted(t *testing.T) {
	pairs := []string{"use-regex", "x", "affinity", "x", "limit-rps", "x", "auth-url", "x", "auth-type", "x", "proxy-buffer-size", "1k",
		"unheard-of", "x"}
	want, _ := parse(pairs...)
	for range 20 {
		o, diagnostics := parse(pairs...)
		if !same(o, want) {
			t.Fatalf("options changed to %+v from %+v", o, want)
		}
		if !slices.IsSortedFunc(diagnostics, func(a, b annotations.Diagnostic) int { return strings.Compare(a.Name, b.Name) }) {
			t.Fatalf("not sorted: %v", diagnostics)
		}
	}
}

// FuzzTimeouts checks that a value is rejected, or is a number in range with that meaning.
func FuzzTimeouts(f *testing.F) {
	for _, seed := range []string{"5", "0", "007", "31536000", "31536001", "1e3", "5s", "-1", "٥", "", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		o, diagnostics := parse("proxy-send-timeout", value)
		value = strings.TrimSpace(value)
		digits := strings.Trim(value, "0123456789") == ""
		switch {
		case value == "":
			// It changes nothing.
		case len(diagnostics) == 0:
			if !digits || o.Proxy.SendTimeout < annotations.MinTimeout || o.Proxy.SendTimeout > annotations.MaxTimeout {
				t.Errorf("%q became %v", value, o.Proxy.SendTimeout)
			}
			if got := strings.TrimLeft(value, "0") + "s"; mustParse(t, got) != o.Proxy.SendTimeout {
				t.Errorf("%q became %v", value, o.Proxy.SendTimeout)
			}
		case !same(o, defaults):
			t.Errorf("%q was rejected (%v), but set %+v", value, diagnostics, o)
		case digits && len(value) <= 7 && strings.Trim(value, "0") != "":
			t.Errorf("%q was rejected: %v", value, diagnostics)
		}
	})
}

func mustParse(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
