package annotations

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// rewriting lists the annotations that change requests, and some headers of responses.
var rewriting = []Entry{
	{Name: "rewrite-target", Group: "rewriting", Support: Supported, Values: "a path; variables and $1 to $9",
		Note: "replaces the whole path; the paths of the Ingress become regular expressions with groups $1 to $9; a target equal to the " +
			"path changes nothing",
		read: template(checkTarget, func(o *Options) *Template { return &o.Rewrite.Target })},
	{Name: "use-regex", Group: "rewriting", Support: Supported, Values: "true, false", Default: "false",
		Note: "the paths of this Ingress are regular expressions (RE2): case-insensitive, and anchored at the start",
		read: boolean(func(o *Options) *bool { return &o.Rewrite.Regex })},
	{Name: "upstream-vhost", Group: "rewriting", Support: Supported, Values: "a host; variables",
		Note: "the Host header for the endpoint", read: template(checkHost, func(o *Options) *Template { return &o.Rewrite.VHost })},
	{Name: "x-forwarded-prefix", Group: "rewriting", Support: Supported, Values: "text; variables",
		Note: "the X-Forwarded-Prefix header for the endpoint",
		read: template(checkText, func(o *Options) *Template { return &o.Rewrite.ForwardedPrefix })},
	{Name: "custom-headers", Group: "rewriting", Support: Supported, Values: "name or namespace/name of a ConfigMap",
		Note: "adds the response headers in that ConfigMap", read: reference(func(o *Options) *string { return &o.Rewrite.CustomHeaders })},
	{Name: "server-alias", Group: "rewriting", Support: Supported, Values: "hosts, separated by commas",
		Note: "more hosts with the same rules; regular expressions are not supported", read: readAliases},
	{Name: "proxy-redirect-from", Group: "rewriting", Support: Supported, Values: "off, default, or text; variables", Default: "off",
		Idle: []string{"off"},
		Note: "the prefix of Location and Refresh headers to replace; default means the endpoint's own address", read: readLocationFrom},
	{Name: "proxy-redirect-to", Group: "rewriting", Support: Supported, With: "proxy-redirect-from", Values: "text; variables",
		Note: "the replacement for that prefix", read: template(checkVisible, func(o *Options) *Template { return &o.Rewrite.LocationTo })},
	{Name: "proxy-cookie-domain", Group: "rewriting", Support: Supported, Values: "off, or the old and the new value, separated by a space",
		Default: "off",
		Note:    "changes the Domain attribute of cookies",
		read:    replacement(func(o *Options) *Replacement { return &o.Rewrite.CookieDomain })},
	{Name: "proxy-cookie-path", Group: "rewriting", Support: Supported, Values: "off, or the old and the new value, separated by a space",
		Default: "off",
		Note:    "changes the Path attribute of cookies", read: replacement(func(o *Options) *Replacement { return &o.Rewrite.CookiePath })},
}

// checkTarget requires a path. nginx redirects if the target is a URL. In this controller,
// redirects have their own annotations.
func checkTarget(value string) error {
	switch {
	case strings.HasPrefix(value, "http://"), strings.HasPrefix(value, "https://"):
		return errors.New("a URL, not a path: use permanent-redirect or temporal-redirect")
	case !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "$"): // "$1" can start with the slash
		return errors.New("not a path")
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
		return fmt.Errorf("%q is a regular expression, which this annotation does not support", value)
	}
	return template(checkVisible, func(o *Options) *Template { return &o.Rewrite.LocationFrom })(o, value)
}

// replacement returns a reader for an old and a new value. A semicolon is invalid, because it would
// add an attribute to the cookie.
func replacement(field func(*Options) *Replacement) reader {
	return func(o *Options, value string) error {
		words := strings.Fields(value)
		switch {
		case value == "off":
			*field(o) = Replacement{}
			return nil
		case strings.HasPrefix(value, "~"):
			return fmt.Errorf("%q is a regular expression, which this annotation does not support", value)
		case strings.ContainsAny(value, "$;"):
			return fmt.Errorf("%q contains a variable or a semicolon, which this annotation does not support", value)
		case len(words) != 2:
			return fmt.Errorf("%q is neither off nor an old and a new value", value)
		}
		if err := checkText(words[0] + words[1]); err != nil {
			return err
		}
		*field(o) = Replacement{From: words[0], To: words[1]}
		return nil
	}
}
