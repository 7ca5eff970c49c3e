package annotations_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// securityAnnotations always restrict access if they have a value.
var securityAnnotations = []string{"auth-type", "auth-url", "allowlist-source-range", "whitelist-source-range", "denylist-source-range",
	"auth-tls-secret",
	"server-snippet", "configuration-snippet", "auth-snippet", "modsecurity-snippet"}

// protects reports whether the options contain the value of the security annotation.
func protects(o annotations.Options, name string) bool {
	switch name {
	case "auth-type":
		return o.Auth.Basic && o.Auth.Secret != ""
	case "auth-url":
		return !o.Auth.URL.IsZero()
	case "allowlist-source-range", "whitelist-source-range":
		return len(o.Access.Allow) > 0
	case "denylist-source-range":
		return len(o.Access.Deny) > 0
	case "auth-tls-secret":
		return o.ClientTLS.Secret != ""
	}
	return false
}

// FuzzParse checks two annotations with any values: Parse does not panic, no security annotation is
// lost, and no option can end a header line. Some annotations have an effect only with a second
// one.
func FuzzParse(f *testing.F) {
	for name, ex := range examples {
		for _, value := range []string{ex.good, ex.bad} {
			if len(ex.with) > 1 {
				f.Add(name, value, ex.with[0], ex.with[1])
			} else {
				f.Add(name, value, "auth-type", "basic")
			}
		}
	}
	f.Add("upstream-hash-by", "${http_\n}", "", "") // the text between braces becomes part of the options, too
	f.Fuzz(func(t *testing.T, name, value, other, otherValue string) {
		pairs := all(name, value, other, otherValue)
		o, diagnostics := annotations.Parse(pairs, defaults)
		for _, p := range securityAnnotations {
			if v, ok := pairs[annotations.Prefix+p]; ok && strings.TrimSpace(v) != "" && !o.Canary.Enabled && o.Blocked == "" && !protects(o, p) {
				t.Errorf("%q: %s is lost: %+v", pairs, p, o)
			}
		}
		o.Blocked = "" // it is a message with the name of the annotation, which the API server checks
		if found := control(reflect.ValueOf(o)); found != "" {
			t.Errorf("%q: the options have %q", pairs, found)
		}
		seen := map[string]bool{}
		for _, d := range diagnostics {
			if seen[d.Name] {
				t.Errorf("%q: two Diagnostics for %s", pairs, d.Name)
			}
			seen[d.Name] = true
		}
		again, _ := annotations.Parse(pairs, defaults)
		again.Blocked = ""
		if !sameText(again, o) {
			t.Errorf("%q: two calls return different options", pairs)
		}
	})
}

// control returns the first text with a control character in the options.
func control(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		if strings.ContainsFunc(v.String(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return v.String()
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "Pattern" || name == "MatchCN" {
				continue // these only match, and are not sent
			}
			if found := control(v.Field(i)); found != "" {
				return found
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if found := control(v.Index(i)); found != "" {
				return found
			}
		}
	}
	return ""
}

// sameText compares options with regular expressions that were compiled separately.
func sameText(a, b annotations.Options) bool {
	for _, o := range []*annotations.Options{&a, &b} {
		if o.Canary.Pattern != nil {
			o.Canary.Header += "~" + o.Canary.Pattern.String()
			o.Canary.Pattern = nil
		}
		if o.ClientTLS.MatchCN != nil {
			o.ClientTLS.ErrorPage += "~" + o.ClientTLS.MatchCN.String()
			o.ClientTLS.MatchCN = nil
		}
	}
	return same(a, b)
}

// FuzzSettings checks that security settings of any ConfigMap apply or block all routes.
func FuzzSettings(f *testing.F) {
	for _, e := range annotations.SettingsList() {
		f.Add(e.Key, settingExamples[e.Key].good)
		f.Add(e.Key, settingExamples[e.Key].bad)
		f.Add(e.Key, examples[e.Key].good)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		s, _ := annotations.ParseSettings(map[string]string{key: value})
		name := strings.Replace(key, "global-auth-url", "auth-url", 1)
		if key != "auth-url" && strings.TrimSpace(value) != "" && s.Options.Blocked == "" {
			switch name {
			case "auth-url", "allowlist-source-range", "whitelist-source-range", "denylist-source-range":
				if !protects(s.Options, name) {
					t.Errorf("%s %q is lost", key, value)
				}
			}
		}
		s.Options.Blocked = ""
		if found := control(reflect.ValueOf(s)); found != "" {
			t.Errorf("%s %q: the settings have %q", key, value, found)
		}
	})
}

// FuzzTemplate checks that a template is rejected, or returns its source.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"", "a", "$host", "${host}", "$1$2", "$10", "a$", "${", "$http_x-y",
		"https://$host/?rd=$escaped_request_uri", "$$", "${host}x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := annotations.ParseTemplate(source)
		if err != nil {
			if !tmpl.IsZero() {
				t.Errorf("%q is rejected (%v) and not zero", source, err)
			}
			return
		}
		if tmpl.String() != source {
			t.Errorf("%q: got %q", source, tmpl)
		}
		back := tmpl.Expand(func(name string) string { return "$" + name })
		if back != source && !strings.ContainsAny(source, "{}") {
			t.Errorf("%q: got back %q", source, back)
		}
		if strings.Contains(tmpl.Expand(func(string) string { return "" }), "$") {
			t.Errorf("%q leaves a dollar sign", source)
		}
	})
}
