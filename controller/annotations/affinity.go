package annotations

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// affinities lists what keeps a client with its pod.
var affinities = []Entry{
	{Name: "affinity", Group: "affinity", Support: Supported, Values: "cookie, none", Note: "keeps a client on one pod by a cookie",
		read: choice(func(o *Options) *bool { return &o.Affinity.Enabled }, map[string]bool{"cookie": true, "none": false})},
	{Name: "affinity-mode", Group: "affinity", Support: Supported, With: "affinity", Values: "balanced, persistent", Default: "balanced",
		Note: "whether a pod that has just failed is left out for a session of its own (balanced), or is asked first all the same (persistent)",
		read: choice(func(o *Options) *bool { return &o.Affinity.Persistent }, map[string]bool{"balanced": false, "persistent": true})},
	{Name: "affinity-canary-behavior", Group: "affinity", Support: Supported, With: "affinity", Values: "sticky, legacy", Default: "sticky",
		Note: "whether a session also stays on a canary, or off it; may stand on the main Ingress or on the canary",
		read: choice(func(o *Options) *bool { return &o.Affinity.LeaveCanary }, map[string]bool{"sticky": false, "legacy": true})},
	{Name: "session-cookie-name", Group: "affinity", Support: Supported, With: "affinity", Values: "the name of a cookie", Default: DefaultCookieName,
		Note: "the name of the cookie", read: token("cookie", func(o *Options) *string { return &o.Affinity.Cookie.Name })},
	{Name: "session-cookie-path", Group: "affinity", Support: Supported, With: "affinity", Values: "a path", Default: "the path of the rule",
		Note: "the cookie's Path; wanted with regular expressions, for a browser does not know them", read: readCookiePath},
	{Name: "session-cookie-domain", Group: "affinity", Support: Supported, With: "affinity", Values: "a domain", Default: "the host alone",
		Note: "the cookie's Domain", read: readCookieDomain},
	{Name: "session-cookie-expires", Group: "affinity", Support: Supported, With: "affinity", Values: "seconds", Default: "the end of the browser's session",
		Note: "the age at which the cookie ends, sent as Expires", read: age(func(o *Options) *time.Duration { return &o.Affinity.Cookie.Expires })},
	{Name: "session-cookie-max-age", Group: "affinity", Support: Supported, With: "affinity", Values: "seconds", Default: "the end of the browser's session",
		Note: "the age at which the cookie ends, sent as Max-Age", read: age(func(o *Options) *time.Duration { return &o.Affinity.Cookie.MaxAge })},
	{Name: "session-cookie-samesite", Group: "affinity", Support: Supported, With: "affinity", Values: "None, Lax, Strict",
		Note: "the cookie's SameSite",
		read: choice(func(o *Options) *http.SameSite { return &o.Affinity.Cookie.SameSite },
			map[string]http.SameSite{"none": http.SameSiteNoneMode, "lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode})},
	{Name: "session-cookie-conditional-samesite-none", Group: "affinity", Support: Supported, With: "affinity", Values: "true, false", Default: "false",
		Note: "leaves SameSite=None out for browsers that misread it", read: boolean(func(o *Options) *bool { return &o.Affinity.Cookie.ConditionalNone })},
	{Name: "session-cookie-secure", Group: "affinity", Support: Supported, With: "affinity", Values: "true, false", Default: "true over TLS",
		Note: "the cookie's Secure", read: readCookieSecure},
	{Name: "session-cookie-partitioned", Group: "affinity", Support: Supported, With: "affinity", Values: "true, false", Default: "false",
		Note: "the cookie's Partitioned", read: boolean(func(o *Options) *bool { return &o.Affinity.Cookie.Partitioned })},
	{Name: "session-cookie-change-on-failure", Group: "affinity", Support: Supported, With: "affinity", Values: "true, false", Default: "false",
		Note: "gives the client another pod for good when its own one fails", read: boolean(func(o *Options) *bool { return &o.Affinity.ChangeOnFailure })},
}

// age makes the reader of how long a browser keeps a cookie.
func age(field func(*Options) *time.Duration) reader { return seconds(0, maxAge, field) }

// readCookiePath refuses what would end the attribute (RFC 6265, 4.1.1: path-value).
func readCookiePath(o *Options, value string) error {
	if !strings.HasPrefix(value, "/") || strings.Contains(value, ";") {
		return fmt.Errorf("%q is not the path of a cookie", value)
	}
	return text(func(o *Options) *string { return &o.Affinity.Cookie.Path })(o, value)
}

// readCookieDomain takes a dot in front, as old manifests have it; browsers ignore it (RFC 6265, 5.2.3).
func readCookieDomain(o *Options, value string) error {
	domain := strings.ToLower(strings.TrimPrefix(value, "."))
	if !isHostName(domain, false) {
		return fmt.Errorf("%q is not a domain", value)
	}
	o.Affinity.Cookie.Domain = domain
	return nil
}

func readCookieSecure(o *Options, value string) error {
	secure, err := parseBool(value)
	if err != nil {
		return err
	}
	o.Affinity.Cookie.Secure = &secure
	return nil
}
