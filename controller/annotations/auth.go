package annotations

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// auth lists what asks who the client is.
var auth = []Entry{
	{Name: "auth-type", Group: "auth", Support: Supported, Values: "basic", Note: "asks for a user name and password", read: readAuthType},
	{Name: "auth-secret", Group: "auth", Support: Supported, Values: "name or namespace/name of a Secret",
		Note: "the Secret with users and passwords (bcrypt, APR1 or SHA)", read: reference(func(o *Options) *string { return &o.Auth.Secret })},
	{Name: "auth-secret-type", Group: "auth", Support: Supported, With: "auth-type", Values: "auth-file, auth-map", Default: "auth-file", Idle: []string{""},
		Note: "whether its key auth is an htpasswd file, or each of its keys a user",
		read: choice(func(o *Options) *bool { return &o.Auth.SecretMap }, map[string]bool{"auth-file": false, "auth-map": true})},
	{Name: "auth-realm", Group: "auth", Support: Supported, With: "auth-type", Values: "text", Idle: []string{""},
		Note: "the realm that the password prompt shows", read: text(func(o *Options) *string { return &o.Auth.Realm })},

	{Name: "auth-url", Group: "auth", Support: Supported, Values: "an absolute URL; variables",
		Note: "asks an external service whether to let a request in: 2xx lets it, 401 and 403 go to the client, all else is a 500", read: readAuthURL},
	{Name: "auth-method", Group: "auth", Support: Supported, With: "auth-url", Values: "a method", Default: "GET", Idle: []string{""},
		Note: "the method of that question", read: readAuthMethod},
	{Name: "auth-signin", Group: "auth", Support: Supported, With: "auth-url", Values: "an absolute URL, or a path; variables", Idle: []string{""},
		Note: "where a client goes in place of a 401", read: template(checkLocation, func(o *Options) *Template { return &o.Auth.SignIn })},
	{Name: "auth-signin-redirect-param", Group: "auth", Support: Supported, With: "auth-url", Values: "the name of a query parameter", Default: "rd", Idle: []string{""},
		Note: "the parameter that leads back from signing in", read: token("query parameter", func(o *Options) *string { return &o.Auth.SignInParam })},
	{Name: "auth-response-headers", Group: "auth", Support: Supported, With: "auth-url", Values: "names of headers, separated by commas", Idle: []string{""},
		Note: "headers of the service's answer that the endpoint gets", read: readAuthResponseHeaders},
	{Name: "auth-request-redirect", Group: "auth", Support: Supported, With: "auth-url", Values: "text; variables", Default: "the request's path and query", Idle: []string{""},
		Note: "the X-Auth-Request-Redirect header of the question", read: template(checkText, func(o *Options) *Template { return &o.Auth.RequestRedirect })},
	{Name: "auth-proxy-set-headers", Group: "auth", Support: Supported, With: "auth-url", Values: "name or namespace/name of a ConfigMap", Idle: []string{""},
		Note: "headers for the question, from that ConfigMap", read: reference(func(o *Options) *string { return &o.Auth.ProxySetHeaders })},
	{Name: "auth-cache-key", Group: "auth", Support: Supported, With: "auth-url", Values: "text; variables", Idle: []string{""},
		Note: "the key under which the service's answers are kept; without it they are not", read: template(checkText, func(o *Options) *Template { return &o.Auth.CacheKey })},
	{Name: "auth-cache-duration", Group: "auth", Support: Supported, With: "auth-url", Values: `as in "200 202 10m, 401 5m"`, Default: "200 202 401 5m", Idle: []string{""},
		Note: "how long answers are kept, by status", read: readAuthCacheDuration},
	{Name: "auth-always-set-cookie", Group: "auth", Support: Supported, With: "auth-url", Values: "true, false", Default: "false", Idle: []string{""},
		Note: "passes the service's cookies on whatever the endpoint answers", read: boolean(func(o *Options) *bool { return &o.Auth.AlwaysSetCookie })},
	{Name: "auth-keepalive", Group: "auth", With: "auth-url", Note: "connections to the external service are kept without it"},
	{Name: "auth-keepalive-requests", Group: "auth", With: "auth-url", Note: "a kept connection has no limit of requests"},
	{Name: "auth-keepalive-timeout", Group: "auth", With: "auth-url", Note: "how long connections are kept is the same for all"},
	{Name: "auth-keepalive-share-vars", Group: "auth", With: "auth-url", Idle: []string{"false"}, Note: "there are no variables of nginx to share"},

	{Name: "enable-global-auth", Group: "auth", Support: Supported, Values: "true, false", Default: "true", Idle: []string{""},
		Note: "false frees the Ingress from the ConfigMap's global-auth-url", read: readGlobalAuth},
	{Name: "satisfy", Group: "auth", Support: Supported, Values: "all, any", Default: "all", Idle: []string{""},
		Note: "whether one of address, password and external service is enough",
		read: choice(func(o *Options) *bool { return &o.Auth.Any }, map[string]bool{"all": false, "any": true})},
}

func readAuthType(o *Options, value string) error {
	if !strings.EqualFold(value, "basic") {
		return fmt.Errorf("%q is not supported: basic is the only type", value)
	}
	o.Auth.Basic = true
	return nil
}

// readAuthURL also drops what the ConfigMap says of another service.
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

// withoutService keeps what is not about an external service.
func withoutService(a Auth) Auth {
	plain := defaultAuth()
	plain.Basic, plain.Secret, plain.SecretMap, plain.Realm, plain.Any = a.Basic, a.Secret, a.SecretMap, a.Realm, a.Any
	return plain
}

func readAuthMethod(o *Options, value string) error {
	switch method := strings.ToUpper(value); method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		o.Auth.Method = method
		return nil
	}
	return fmt.Errorf("%q is not a method for a question", value)
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

// readAuthCacheDuration reads what nginx's proxy_cache_valid takes: statuses and a time, and more of these after a comma. A
// time alone is that of 200.
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
				return fmt.Errorf("a status: %w", err)
			}
			kept[status] = d
		}
	}
	if len(kept) == 0 {
		return fmt.Errorf("%q has no time in it", value)
	}
	o.Auth.CacheDuration = kept
	return nil
}

// parseCacheTime reads a time as nginx does (nginx.org/en/docs/syntax.html), of one unit; seconds without one. A year is the most.
func parseCacheTime(word string) (time.Duration, error) {
	unit, digits := time.Second, word
	for suffix, u := range map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second} {
		if rest, ok := strings.CutSuffix(word, suffix); ok {
			unit, digits = u, rest
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || time.Duration(n) > MaxTimeout/unit {
		return 0, fmt.Errorf("%q is not a time of up to a year, as in %q", word, "10m")
	}
	return time.Duration(n) * unit, nil
}

// settleAuth closes a route that is to ask for passwords and has none.
func (r *reading) settleAuth() {
	a := r.o.Auth
	switch {
	case a.Basic && a.Secret == "" && !r.has("auth-secret"):
		r.require("auth-type", "auth-secret", "no user can log in")
	case !a.Basic && a.Secret != "" && !r.has("auth-type"):
		r.report("auth-secret", CodeNotSupported, "has no effect without auth-type: nobody is asked for a password")
	}
}
