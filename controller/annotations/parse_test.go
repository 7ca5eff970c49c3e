package annotations_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

func parse(pairs ...string) (annotations.Options, []annotations.Fault) {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[annotations.Prefix+pairs[i]] = pairs[i+1]
	}
	return annotations.Parse(all)
}

func TestOthersAnnotationsAreNoneOfOurs(t *testing.T) {
	o, faults := annotations.Parse(map[string]string{
		"kubernetes.io/ingress.class": "nginx",
		"example.com/auth-type":       "basic",
		"nginx.ingress.kubernetes.io": "no name",
	})
	if o != (annotations.Options{}) || len(faults) != 0 {
		t.Errorf("got %+v and %v", o, faults)
	}
}

func TestTimeouts(t *testing.T) {
	o, faults := parse("proxy-connect-timeout", "5", "proxy-read-timeout", "3600", "proxy-send-timeout", "31536000")
	want := annotations.Options{ConnectTimeout: 5 * time.Second, ReadTimeout: time.Hour, SendTimeout: annotations.MaxTimeout}
	if o != want || len(faults) != 0 {
		t.Errorf("got %+v and %v, want %+v", o, faults, want)
	}
}

func TestInvalidTimeouts(t *testing.T) {
	for value, hint := range map[string]string{
		"30s":                   `write whole seconds, "30"`,
		"1m30s":                 `write whole seconds, "90"`,
		"0":                     "1 to 31536000 seconds",
		"31536001":              "1 to 31536000 seconds",
		"18446744073709551616":  "not a whole number",
		"-1":                    "not a whole number",
		"+5":                    "not a whole number",
		"5.5":                   "not a whole number",
		"1 0":                   "not a whole number",
		"":                      "not a whole number",
		"soon":                  "not a whole number",
		"9223372036854775807ns": "not a whole number",
	} {
		o, faults := parse("proxy-read-timeout", value)
		if o != (annotations.Options{}) {
			t.Errorf("%q: got %+v, want the option refused", value, o)
		}
		if len(faults) != 1 || faults[0].Code != annotations.CodeInvalid || !strings.Contains(faults[0].Reason, hint) {
			t.Errorf("%q: got faults %v, want one with %q", value, faults, hint)
		}
	}
}

// The rule that matters most: whoever asks for protection is not served without.
func TestProtectionsFailClosed(t *testing.T) {
	for _, name := range []string{
		"auth-type", "auth-secret", "auth-realm", "auth-url", "auth-signin", "auth-snippet", "auth-tls-secret", "auth-tls-verify-client",
		"whitelist-source-range", "allowlist-source-range", "denylist-source-range", "enable-global-auth", "enable-modsecurity",
		"server-snippet", "configuration-snippet",
		// Nobody knows these, but everybody knows what they were meant for.
		"auth-typ", "Auth-Type", "auth-new-method", "whitelist-source-ranges", "blocklist", "location-snippet",
	} {
		o, faults := parse(name, "x")
		if o.Closed == "" || !strings.Contains(o.Closed, name) {
			t.Errorf("%s: the route is open: Closed is %q", name, o.Closed)
		}
		if len(faults) != 1 || faults[0].Code != annotations.CodeClosed || faults[0].Name != annotations.Prefix+name {
			t.Errorf("%s: got faults %v", name, faults)
		}
	}
}

func TestEmptyProtectionsFailClosedToo(t *testing.T) {
	for _, name := range []string{"auth-type", "auth-url", "whitelist-source-range", "auth-tls-secret"} {
		if o, _ := parse(name, ""); o.Closed == "" {
			t.Errorf("%s, which a template left empty, opens the route", name)
		}
	}
}

func TestEndpointsThatExpectAnotherProtocolAreClosed(t *testing.T) {
	for value, closed := range map[string]bool{"HTTP": false, "http": false, "": false, "HTTPS": true, "GRPC": true, "grpcs": true, "FCGI": true, "?": true} {
		if o, _ := parse("backend-protocol", value); (o.Closed != "") != closed {
			t.Errorf("backend-protocol %q: Closed is %q", value, o.Closed)
		}
	}
}

// Charts write the defaults out. A warning about each of them would hide the ones that matter.
func TestAskingForNothingIsNoFault(t *testing.T) {
	for name, value := range map[string]string{
		"ssl-redirect": "false", "force-ssl-redirect": "False", "use-regex": "false", "affinity": "none", "canary": "false",
		"backend-protocol": "HTTP", "satisfy": "all", "auth-tls-verify-client": "off", "enable-modsecurity": "false",
		"load-balance": "round_robin", "proxy-buffering": "off", "rewrite-target": "", "server-snippet": "",
		// These refine something that is not asked for.
		"session-cookie-name": "s", "canary-weight": "10", "cors-max-age": "5", "permanent-redirect-code": "308", "proxy-ssl-verify": "on",
	} {
		if o, faults := parse(name, value); o != (annotations.Options{}) || len(faults) != 0 {
			t.Errorf("%s %q: got %+v and %v", name, value, o, faults)
		}
	}
}

func TestWhatHasNoEffectIsSaid(t *testing.T) {
	for name, value := range map[string]string{
		"rewrite-target": "/", "ssl-passthrough-x": "1", "use-regex": "true", "force-ssl-redirect": "true", "affinity": "cookie",
		"permanent-redirect": "https://shop.test", "limit-rps": "5", "proxy-body-size": "8m", "unheard-of": "x", "stream-snippet": "x",
	} {
		o, faults := parse(name, value)
		if o != (annotations.Options{}) {
			t.Errorf("%s: got %+v", name, o)
		}
		if len(faults) != 1 || faults[0].Code != annotations.CodeNotSupported {
			t.Errorf("%s: got faults %v", name, faults)
		}
	}
}

func TestCanary(t *testing.T) {
	for value, canary := range map[string]bool{"true": true, "1": true, "T": true, "false": false, "0": false, "yes": true, "": false} {
		o, faults := parse("canary", value, "canary-weight", "10", "rewrite-target", "/", "proxy-read-timeout", "x")
		if o.Canary != canary {
			t.Errorf("canary %q: Canary is %v", value, o.Canary)
		}
		if canary && (len(faults) != 1 || faults[0].Code != annotations.CodeCanary) {
			t.Errorf("canary %q: got faults %v, want the one that matters", value, faults)
		}
	}
}

func TestMisspelledNamesGetAHint(t *testing.T) {
	for name, want := range map[string]string{
		"proxy-read-timout":   "proxy-read-timeout", // a letter is missing
		"proxy-read-timeoutt": "proxy-read-timeout", // one too many
		"proxy-raed-timeout":  "proxy-read-timeout", // two swapped
		"proxy_read-timeout":  "proxy-read-timeout", // one replaced
		"auth-typ":            "auth-type",
	} {
		_, faults := parse(name, "5")
		if len(faults) != 1 || !strings.Contains(faults[0].Reason, `did you mean "`+want+`"?`) {
			t.Errorf("%s: got %v, want a hint at %s", name, faults, want)
		}
	}
	if _, faults := parse("proxy-timeout", "5"); len(faults) != 1 || strings.Contains(faults[0].Reason, "did you mean") {
		t.Errorf("proxy-timeout is near nothing, and gets %v", faults)
	}
}

// A map has no order; Events must not depend on it.
func TestFaultsAreSorted(t *testing.T) {
	pairs := []string{"use-regex", "true", "affinity", "cookie", "limit-rps", "1", "auth-url", "x", "auth-type", "x"}
	want, _ := parse(pairs...)
	for range 20 {
		o, faults := parse(pairs...)
		if o != want {
			t.Fatalf("options are %+v, and were %+v", o, want)
		}
		if !slices.IsSortedFunc(faults, func(a, b annotations.Fault) int { return strings.Compare(a.Name, b.Name) }) {
			t.Fatalf("not sorted: %v", faults)
		}
	}
}

// FuzzTimeouts: a value is refused, or it is a number in range and means what it says.
func FuzzTimeouts(f *testing.F) {
	for _, seed := range []string{"5", "0", "007", "31536000", "31536001", "1e3", "5s", "-1", "٥", "", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		o, faults := parse("proxy-send-timeout", value)
		digits := value != "" && strings.Trim(value, "0123456789") == ""
		switch {
		case len(faults) == 0:
			if !digits || o.SendTimeout < annotations.MinTimeout || o.SendTimeout > annotations.MaxTimeout {
				t.Errorf("%q became %v", value, o.SendTimeout)
			}
			if got := strings.TrimLeft(value, "0") + "s"; mustParse(t, got) != o.SendTimeout {
				t.Errorf("%q became %v", value, o.SendTimeout)
			}
		case o != (annotations.Options{}):
			t.Errorf("%q was refused (%v), and set %+v", value, faults, o)
		case digits && len(value) <= 7 && strings.Trim(value, "0") != "":
			t.Errorf("%q was refused: %v", value, faults)
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
