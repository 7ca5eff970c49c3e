package annotations

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// rewriting lists what changes the request on its way to the endpoint, and some headers of the response.
var rewriting = []Entry{
	{Name: "rewrite-target", Group: "rewriting", Support: Supported, Values: "a path; variables and $1 to $9",
		Note: "replaces the whole path; makes the paths of the Ingress regular expressions, whose groups are $1 to $9; one that is the path itself changes nothing",
		read: template(checkTarget, func(o *Options) *Template { return &o.Rewrite.Target })},
	{Name: "use-regex", Group: "rewriting", Support: Supported, Values: "true, false", Default: "false",
		Note: "the paths of this Ingress are regular expressions (RE2), case-insensitive, anchored at the start", read: boolean(func(o *Options) *bool { return &o.Rewrite.Regex })},
	{Name: "upstream-vhost", Group: "rewriting", Support: Supported, Values: "a host; variables",
		Note: "the Host header that the endpoint gets", read: template(checkHost, func(o *Options) *Template { return &o.Rewrite.VHost })},
	{Name: "x-forwarded-prefix", Group: "rewriting", Support: Supported, Values: "text; variables",
		Note: "the X-Forwarded-Prefix header that the endpoint gets", read: template(checkText, func(o *Options) *Template { return &o.Rewrite.ForwardedPrefix })},
	{Name: "custom-headers", Group: "rewriting", Support: Supported, Values: "name or namespace/name of a ConfigMap",
		Note: "response headers from that ConfigMap", read: reference(func(o *Options) *string { return &o.Rewrite.CustomHeaders })},
	{Name: "server-alias", Group: "rewriting", Support: Supported, Values: "hosts, separated by commas",
		Note: "more hosts for the same rules; regular expressions are not supported", read: readAliases},
	{Name: "proxy-redirect-from", Group: "rewriting", Support: Supported, Values: "off, default, or text; variables", Default: "off", Idle: []string{"off"},
		Note: "the beginning of Location and Refresh headers that is replaced; default is the endpoint's own address", read: readLocationFrom},
	{Name: "proxy-redirect-to", Group: "rewriting", Support: Supported, With: "proxy-redirect-from", Values: "text; variables",
		Note: "what it is replaced by", read: template(checkVisible, func(o *Options) *Template { return &o.Rewrite.LocationTo })},
	{Name: "proxy-cookie-domain", Group: "rewriting", Support: Supported, Values: "off, or the old and the new one, separated by a space", Default: "off",
		Note: "changes the Domain of cookies", read: replacement(func(o *Options) *Replacement { return &o.Rewrite.CookieDomain })},
	{Name: "proxy-cookie-path", Group: "rewriting", Support: Supported, Values: "off, or the old and the new one, separated by a space", Default: "off",
		Note: "changes the Path of cookies", read: replacement(func(o *Options) *Replacement { return &o.Rewrite.CookiePath })},
}

// checkTarget wants a path. nginx answers a rewrite to a URL with a redirect, which has annotations of its own here.
func checkTarget(value string) error {
	switch {
	case strings.HasPrefix(value, "http://"), strings.HasPrefix(value, "https://"):
		return errors.New("this is a URL, not a path: permanent-redirect and temporal-redirect lead to URLs")
	case !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "$"): // "$1" may well begin with the slash
		return errors.New("this is not a path")
	}
	return checkVisible(value)
}

func readAliases(o *Options, value string) error {
	var hosts []string
	for _, item := range items(strings.ToLower(value)) {
		if !isHostName(item, true) {
			return fmt.Errorf("%q is not a host; regular expressions are not supported", item)
		}
		hosts = append(hosts, item)
	}
	slices.Sort(hosts)
	o.Rewrite.Aliases = slices.Compact(hosts)
	return nil
}

func readLocationFrom(o *Options, value string) error {
	if strings.HasPrefix(value, "~") {
		return fmt.Errorf("%q is a regular expression, which is not supported here", value)
	}
	return template(checkVisible, func(o *Options) *Template { return &o.Rewrite.LocationFrom })(o, value)
}

// replacement makes the reader of two words, the second in the place of the first. A cookie's attribute cannot hold a
// semicolon; whoever wrote one meant to add another attribute.
func replacement(field func(*Options) *Replacement) reader {
	return func(o *Options, value string) error {
		words := strings.Fields(value)
		switch {
		case value == "off":
			*field(o) = Replacement{}
			return nil
		case strings.HasPrefix(value, "~"):
			return fmt.Errorf("%q is a regular expression, which is not supported here", value)
		case strings.ContainsAny(value, "$;"):
			return fmt.Errorf("%q has a variable or a semicolon in it, which is not supported here", value)
		case len(words) != 2:
			return fmt.Errorf("%q is neither off nor an old and a new one", value)
		}
		if err := checkText(words[0] + words[1]); err != nil {
			return err
		}
		*field(o) = Replacement{From: words[0], To: words[1]}
		return nil
	}
}
