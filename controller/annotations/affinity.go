package annotations

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// affinities lists the annotations for sticky sessions.
var affinities = []Entry{
	{Name: "affinity", Group: "affinity", Support: Supported, Values: "cookie, none", Note: "keeps a client on one pod with a cookie",
		read: choice(func(o *Options) *bool { return &o.Affinity.Enabled }, map[string]bool{"cookie": true, "none": false})},
	{Name: "affinity-mode", Group: "affinity", Support: Supported, With: "affinity", Values: "balanced, persistent", Default: "balanced",
		Note: "whether a session skips its pod for a while after a failure (balanced), or still tries it first (persistent)",
		read: choice(func(o *Options) *bool { return &o.Affinity.Persistent }, map[string]bool{"balanced": false, "persistent": true})},
	{Name: "affinity-canary-behavior", Group: "affinity", Support: Supported, With: "affinity", Values: "sticky, legacy", Default: "sticky",
		Note: "whether a session stays on its side of the canary (sticky), or canary rules decide each request (legacy); set it on the main " +
			"Ingress or on the canary",
		read: choice(func(o *Options) *bool { return &o.Affinity.LeaveCanary }, map[string]bool{"sticky": false, "legacy": true})},
	{Name: "session-cookie-name", Group: "affinity", Support: Supported, With: "affinity", Values: "the name of a cookie",
		Default: DefaultCookieName,
		Note:    "the name of the cookie", read: token("cookie", func(o *Options) *string { return &o.Affinity.Cookie.Name })},
	{Name: "session-cookie-path", Group: "affinity", Support: Supported, With: "affinity", Values: "a path",
		Default: "the path of the rule",
		Note:    "the cookie's Path attribute; set it if paths are regular expressions, because browsers do not evaluate them",
		read:    readCookiePath},
	{Name: "session-cookie-domain", Group: "affinity", Support: Supported, With: "affinity", Values: "a domain",
		Default: "only the host of the request",
		Note:    "the cookie's Domain attribute", read: readCookieDomain},
	{Name: "session-cookie-expires", Group: "affinity", Support: Supported, With: "affinity", Values: "seconds",
		Default: "end of the browser session",
		Note:    "the lifetime of the cookie, sent as Expires",
		read:    age(func(o *Options) *time.Duration { return &o.Affinity.Cookie.Expires })},
	{Name: "session-cookie-max-age", Group: "affinity", Support: Supported, With: "affinity", Values: "seconds",
		Default: "end of the browser session",
		Note:    "the lifetime of the cookie, sent as Max-Age",
		read:    age(func(o *Options) *time.Duration { return &o.Affinity.Cookie.MaxAge })},
	{Name: "session-cookie-samesite", Group: "affinity", Support: Supported, With: "affinity", Values: "None, Lax, Strict",
		Note: "the cookie's SameSite attribute",
		read: choice(func(o *Options) *http.SameSite { return &o.Affinity.Cookie.SameSite },
			map[string]http.SameSite{"none": http.SameSiteNoneMode, "lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode})},
	{Name: "session-cookie-conditional-samesite-none", Group: "affinity", Support: Supported, With: "affinity", Values: "true, false",
		Default: "false",
		Note:    "omits SameSite=None for browsers that misread it",
		read:    boolean(func(o *Options) *bool { return &o.Affinity.Cookie.ConditionalNone })},
	{Name: "session-cookie-secure", Group: "affinity", Support: Supported, With: "affinity", Values: "true, false",
		Default: "true over TLS",
		Note:    "the cookie's Secure attribute", read: readCookieSecure},
	{Name: "session-cookie-partitioned", Group: "affinity", Support: Supported, With: "affinity", Values: "true, false", Default: "false",
		Note: "the cookie's Partitioned attribute", read: boolean(func(o *Options) *bool { return &o.Affinity.Cookie.Partitioned })},
	{Name: "session-cookie-change-on-failure", Group: "affinity", Support: Supported, With: "affinity", Values: "true, false",
		Default: "false",
		Note:    "moves the client to another pod permanently if its own pod fails",
		read:    boolean(func(o *Options) *bool { return &o.Affinity.ChangeOnFailure })},
}

// age returns a reader for the lifetime of a cookie.
func age(field func(*Options) *time.Duration) reader { return seconds(0, maxAge, field) }

// readCookiePath rejects characters that would end the attribute Path (RFC 6265, 4.1.1).
func readCookiePath(o *Options, value string) error {
	if !strings.HasPrefix(value, "/") || strings.Contains(value, ";") {
		return fmt.Errorf("%q is not the path of a cookie", value)
	}
	return text(func(o *Options) *string { return &o.Affinity.Cookie.Path })(o, value)
}

// readCookieDomain accepts a leading dot, as in old manifests. Browsers ignore it (RFC 6265,
// 5.2.3).
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
