package annotations

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// auth lists the annotations for authentication.
var auth = []Entry{
	{Name: "auth-type", Group: "auth", Support: Supported, Values: "basic", Note: "requires a user name and password", read: readAuthType},
	{Name: "auth-secret", Group: "auth", Support: Supported, Values: "name or namespace/name of a Secret",
		Note: "the Secret with users and password hashes (bcrypt, APR1, or SHA)",
		read: reference(func(o *Options) *string { return &o.Auth.Secret })},
	{Name: "auth-secret-type", Group: "auth", Support: Supported, With: "auth-type", Values: "auth-file, auth-map", Default: "auth-file",
		Idle: []string{""},
		Note: "whether the Secret's key auth is an htpasswd file (auth-file), or each of its keys is a user (auth-map)",
		read: choice(func(o *Options) *bool { return &o.Auth.SecretMap }, map[string]bool{"auth-file": false, "auth-map": true})},
	{Name: "auth-realm", Group: "auth", Support: Supported, With: "auth-type", Values: "text", Idle: []string{""},
		Note: "the realm in the password prompt", read: text(func(o *Options) *string { return &o.Auth.Realm })},

	{Name: "auth-url", Group: "auth", Support: Supported, Values: "an absolute URL; variables",
		Note: "sends each request to an external service first: 2xx allows it, 401 and 403 go to the client, and any other response becomes " +
			"a 500",
		read: readAuthURL},
	{Name: "auth-method", Group: "auth", Support: Supported, With: "auth-url", Values: "a method", Default: "GET", Idle: []string{""},
		Note: "the method of the request to the service", read: readAuthMethod},
	{Name: "auth-signin", Group: "auth", Support: Supported, With: "auth-url", Values: "an absolute URL, or a path; variables",
		Idle: []string{""},
		Note: "the redirect target for clients in place of a 401",
		read: template(checkLocation, func(o *Options) *Template { return &o.Auth.SignIn })},
	{Name: "auth-signin-redirect-param", Group: "auth", Support: Supported, With: "auth-url", Values: "the name of a query parameter",
		Default: "rd",
		Idle:    []string{""},
		Note:    "the query parameter of auth-signin that has the original URL",
		read:    token("query parameter", func(o *Options) *string { return &o.Auth.SignInParam })},
	{Name: "auth-response-headers", Group: "auth", Support: Supported, With: "auth-url", Values: "names of headers, separated by commas",
		Idle: []string{""},
		Note: "headers of the service's response that the endpoint receives", read: readAuthResponseHeaders},
	{Name: "auth-request-redirect", Group: "auth", Support: Supported, With: "auth-url", Values: "text; variables",
		Default: "the request's path and query",
		Idle:    []string{""},
		Note:    "the X-Auth-Request-Redirect header of the request to the service",
		read:    template(checkText, func(o *Options) *Template { return &o.Auth.RequestRedirect })},
	{Name: "auth-proxy-set-headers", Group: "auth", Support: Supported, With: "auth-url", Values: "name or namespace/name of a ConfigMap",
		Idle: []string{""},
		Note: "adds the headers in that ConfigMap to the request to the service",
		read: reference(func(o *Options) *string { return &o.Auth.ProxySetHeaders })},
	{Name: "auth-cache-key", Group: "auth", Support: Supported, With: "auth-url", Values: "text; variables", Idle: []string{""},
		Note: "the cache key for the service's responses; without it, they are not cached",
		read: template(checkText, func(o *Options) *Template { return &o.Auth.CacheKey })},
	{Name: "auth-cache-duration", Group: "auth", Support: Supported, With: "auth-url", Values: `such as "200 202 10m, 401 5m"`,
		Default: "200 202 401 5m",
		Idle:    []string{""},
		Note:    "how long responses are cached, by status", read: readAuthCacheDuration},
	{Name: "auth-always-set-cookie", Group: "auth", Support: Supported, With: "auth-url", Values: "true, false", Default: "false",
		Idle: []string{""},
		Note: "passes on the service's cookies for every status of the endpoint",
		read: boolean(func(o *Options) *bool { return &o.Auth.AlwaysSetCookie })},
	{Name: "auth-keepalive", Group: "auth", With: "auth-url", Note: "connections to the external service always stay open for reuse"},
	{Name: "auth-keepalive-requests", Group: "auth", With: "auth-url", Note: "connections have no request limit"},
	{Name: "auth-keepalive-timeout", Group: "auth", With: "auth-url", Note: "the keep-alive time is the same for all services"},
	{Name: "auth-keepalive-share-vars", Group: "auth", With: "auth-url", Idle: []string{"false"},
		Note: "there are no nginx variables to share"},

	{Name: "enable-global-auth", Group: "auth", Support: Supported, Values: "true, false", Default: "true", Idle: []string{""},
		Note: "false exempts the Ingress from global-auth-url in the ConfigMap", read: readGlobalAuth},
	{Name: "satisfy", Group: "auth", Support: Supported, Values: "all, any", Default: "all", Idle: []string{""},
		Note: "whether one of address, password, and external service is enough (any), or all are required (all)",
		read: choice(func(o *Options) *bool { return &o.Auth.Any }, map[string]bool{"all": false, "any": true})},
}

func readAuthType(o *Options, value string) error {
	if !strings.EqualFold(value, "basic") {
		return fmt.Errorf("%q is not supported: basic is the only type", value)
	}
	o.Auth.Basic = true
	return nil
}

// readAuthURL also drops the ConfigMap's settings, which are for a different service.
func readAuthURL(o *Options, value string) error {
	o.Auth = withoutService(o.Auth)
	return template(checkURL, func(o *Options) *Template { return &o.Auth.URL })(o, value)
}

func readGlobalAuth(o *Options, value string) error {
	on, err := parseBool(value)
	if err == nil && !on {
		o.Auth = withoutService(o.Auth)
	}
	return err
}

// withoutService returns a without the settings for an external service.
func withoutService(a Auth) Auth {
	plain := defaultAuth()
	plain.Basic, plain.Secret, plain.SecretMap, plain.Realm, plain.Any = a.Basic, a.Secret, a.SecretMap, a.Realm, a.Any
	return plain
}

func readAuthMethod(o *Options, value string) error {
	switch method := strings.ToUpper(value); method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodTrace:
		o.Auth.Method = method
		return nil
	}
	return fmt.Errorf("%q is not a supported method", value)
}

func readAuthResponseHeaders(o *Options, value string) error {
	names, err := tokens(value)
	if err != nil {
		return err
	}
	for i, name := range names {
		names[i] = http.CanonicalHeaderKey(name)
	}
	o.Auth.ResponseHeaders = names
	return nil
}

// readAuthCacheDuration reads the syntax of nginx's proxy_cache_valid: a list, separated by commas,
// of statuses with a time. A time alone applies to 200.
func readAuthCacheDuration(o *Options, value string) error {
	kept := map[int]time.Duration{}
	for _, item := range items(value) {
		words := strings.Fields(item)
		last := len(words) - 1
		d, err := parseCacheTime(words[last])
		if err != nil {
			return err
		}
		if last == 0 {
			kept[http.StatusOK] = d
		}
		for _, word := range words[:last] {
			status, err := parseNumber(word, 200, 599)
			if err != nil {
				return fmt.Errorf("status: %w", err)
			}
			kept[status] = d
		}
	}
	if len(kept) == 0 {
		return fmt.Errorf("%q contains no time", value)
	}
	o.Auth.CacheDuration = kept
	return nil
}

// parseCacheTime reads a time with at most one unit (nginx.org/en/docs/syntax.html). Without a
// unit, it is in seconds. The maximum is a year.
func parseCacheTime(word string) (time.Duration, error) {
	unit, digits := time.Second, word
	for suffix, u := range map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second} {
		if rest, ok := strings.CutSuffix(word, suffix); ok {
			unit, digits = u, rest
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || time.Duration(n) > MaxTimeout/unit {
		return 0, fmt.Errorf("%q is not a time of at most a year, such as %q", word, "10m")
	}
	return time.Duration(n) * unit, nil
}

// settleAuth blocks the routes of an Ingress with auth-type and without auth-secret.
func (r *reading) settleAuth() {
	a := r.o.Auth
	switch {
	case a.Basic && a.Secret == "" && !r.has("auth-secret"):
		r.require("auth-type", "auth-secret", "no user can log in")
	case !a.Basic && a.Secret != "" && !r.has("auth-type"):
		r.report("auth-secret", CodeNotSupported, "has no effect without auth-type: the route requires no password")
	}
}
