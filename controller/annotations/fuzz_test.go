package annotations_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// protections are annotations that nobody writes without wanting a protection, if they have a value.
var protections = []string{"auth-type", "auth-url", "allowlist-source-range", "whitelist-source-range", "denylist-source-range", "auth-tls-secret",
	"server-snippet", "configuration-snippet", "auth-snippet", "modsecurity-snippet"}

// protects says whether the options have the protection that the annotation asks for.
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

// FuzzParse: whatever two annotations say, Parse does not panic, no protection gets lost, and nothing that is accepted could end
// a header line. The second one has the effect that the first one asks for only in company.
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
	f.Add("upstream-hash-by", "${http_\n}", "", "") // what is between braces goes into the options too
	f.Fuzz(func(t *testing.T, name, value, other, otherValue string) {
		pairs := all(name, value, other, otherValue)
		o, diagnostics := annotations.Parse(pairs, defaults)
		for _, p := range protections {
			if v, ok := pairs[annotations.Prefix+p]; ok && strings.TrimSpace(v) != "" && !o.Canary.Enabled && o.Blocked == "" && !protects(o, p) {
				t.Errorf("%q: %s is lost: %+v", pairs, p, o)
			}
		}
		o.Blocked = "" // it is for people, and repeats the name of the annotation, which the API server checks
		if found := control(reflect.ValueOf(o)); found != "" {
			t.Errorf("%q: the options have %q", pairs, found)
		}
		seen := map[string]bool{}
		for _, fault := range diagnostics {
			if seen[fault.Name] {
				t.Errorf("%q: two diagnostics of %s", pairs, fault.Name)
			}
			seen[fault.Name] = true
		}
		again, _ := annotations.Parse(pairs, defaults)
		again.Blocked = ""
		if !sameText(again, o) {
			t.Errorf("%q: twice the same, and different options", pairs)
		}
	})
}

// control finds a text with a control character among the values that options hold, and returns it.
func control(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		if strings.ContainsFunc(v.String(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return v.String()
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "Pattern" || name == "MatchCN" {
				continue // these are matched against, and go nowhere
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

// sameText compares options whose regular expressions have been compiled anew.
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

// FuzzSettings: whatever the ConfigMap says, its protections are there or close everything.
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

// FuzzTemplate: a template is refused, or gives back what it was made of.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"", "a", "$host", "${host}", "$1$2", "$10", "a$", "${", "$http_x-y", "https://$host/?rd=$escaped_request_uri", "$$", "${host}x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := annotations.ParseTemplate(source)
		if err != nil {
			if !tmpl.IsZero() {
				t.Errorf("%q is refused (%v) and not zero", source, err)
			}
			return
		}
		if tmpl.String() != source {
			t.Errorf("%q reads %q", source, tmpl)
		}
		if back := tmpl.Expand(func(name string) string { return "$" + name }); back != strings.NewReplacer("{", "", "}", "").Replace(source) && !strings.ContainsAny(source, "{}") {
			t.Errorf("%q gives back %q", source, back)
		}
		if strings.Contains(tmpl.Expand(func(string) string { return "" }), "$") {
			t.Errorf("%q leaves a dollar sign", source)
		}
	})
}
