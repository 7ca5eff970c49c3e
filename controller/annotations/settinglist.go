package annotations

import (
	"math"
	"net/http"
	"slices"
	"time"
)

// Setting describes one key of the controller's ConfigMap.
type Setting struct {
	// Key is a key of the ConfigMap's data.
	Key     string
	Support Support
	// Values, Default, Idle, With, Security, and Note are as in Entry.
	Values, Default string
	Idle            []string
	With            string
	Security        bool
	Note            string

	read func(s *Settings, value string) error
}

// SettingsList returns all known keys in the order of the documentation.
func SettingsList() []Setting { return slices.Clone(settings) }

var (
	settings = slices.Concat(defaultsOfOptions(), ownSettings, foreignSettings)
	byKey    = indexSettings(settings)
)

func indexSettings(list []Setting) map[string]*Setting {
	m := make(map[string]*Setting, len(list))
	for i := range list {
		m[list[i].Key] = &list[i]
	}
	return m
}

// defaultsOfOptions lists the keys that set the default of an annotation. They accept the same
// values, and most have the same name.
func defaultsOfOptions() []Setting {
	var all []Setting
	for _, pair := range [][2]string{
		{"ssl-redirect"}, {"force-ssl-redirect"}, {"preserve-trailing-slash"}, {"use-port-in-redirects"}, {"relative-redirects"},
		{"proxy-connect-timeout"}, {"proxy-read-timeout"}, {"proxy-send-timeout"}, {"proxy-body-size"},
		{"proxy-next-upstream"}, {"proxy-next-upstream-tries"}, {"proxy-next-upstream-timeout"},
		{"proxy-buffering"}, {"proxy-request-buffering"},
		{"proxy-redirect-from"}, {"proxy-redirect-to"}, {"proxy-cookie-domain"}, {"proxy-cookie-path"},
		{"load-balance"}, {"service-upstream"}, {"limit-rate"}, {"limit-rate-after"}, {"custom-http-errors"},
		{"allowlist-source-range"}, {"whitelist-source-range"}, {"denylist-source-range"},
		{"global-auth-url", "auth-url"}, {"global-auth-method", "auth-method"}, {"global-auth-signin", "auth-signin"},
		{"global-auth-signin-redirect-param", "auth-signin-redirect-param"}, {"global-auth-response-headers", "auth-response-headers"},
		{"global-auth-request-redirect", "auth-request-redirect"}, {"global-auth-cache-key", "auth-cache-key"},
		{"global-auth-cache-duration", "auth-cache-duration"}, {"global-auth-always-set-cookie", "auth-always-set-cookie"},
	} {
		key, name := pair[0], pair[1]
		if name == "" {
			name = key
		}
		e := byName[name]
		s := Setting{Key: key, Support: Supported, Values: e.Values, Default: e.Default, Idle: e.Idle, With: e.With, Security: e.Security,
			Note: "the default of annotation " + name, read: func(s *Settings, value string) error { return e.read(&s.Options, value) }}
		all = append(all, s)
	}
	return all
}

// ownSettings lists the keys that do not set the default of an annotation.
var ownSettings = []Setting{
	{Key: "enable-sticky-sessions", Support: Supported, Values: "true, false", Default: "false",
		Note: "sets affinity: cookie for Ingresses that do not set affinity: none",
		read: flag(func(s *Settings) *bool { return &s.Options.Affinity.Enabled })},
	{Key: "retry-non-idempotent", Support: Supported, Values: "true, false", Default: "false",
		Note: "adds non_idempotent to every proxy-next-upstream",
		read: flag(func(s *Settings) *bool { return &s.Options.Proxy.NextUpstream.NonIdempotent })},
	{Key: "http-redirect-code", Support: Supported, Values: "301, 302, 307, 308", Default: "308",
		Note: "the status of redirects to HTTPS, to www, and from www", read: readRedirectCode},

	{Key: "hsts", Support: Supported, Values: "true, false", Default: "true", Note: "sends Strict-Transport-Security over TLS (RFC 6797)",
		read: flag(func(s *Settings) *bool { return &s.HSTS.Enabled })},
	{Key: "hsts-max-age", Support: Supported, Values: "seconds", Default: "31536000",
		Note: "how long browsers remember Strict-Transport-Security", read: readHSTSMaxAge},
	{Key: "hsts-include-subdomains", Support: Supported, Values: "true, false", Default: "true", Note: "whether it applies to subdomains",
		read: flag(func(s *Settings) *bool { return &s.HSTS.Subdomains })},
	{Key: "hsts-preload", Support: Supported, Values: "true, false", Default: "false",
		Note: "allows browsers to preload it before the first visit",
		read: flag(func(s *Settings) *bool { return &s.HSTS.Preload })},

	{Key: "use-forwarded-headers", Support: Supported, Values: "true, false", Default: "false",
		Note: "reads the client's address, scheme, and host from X-Forwarded-* headers of trusted proxies",
		read: flag(func(s *Settings) *bool { return &s.UseForwardedHeaders })},
	{Key: "proxy-real-ip-cidr", Support: Supported, Values: "addresses and CIDR ranges, separated by commas", Default: "0.0.0.0/0, ::/0",
		Note: "the trusted proxies", read: readRealIP},
	{Key: "allow-cross-namespace-resources", Support: Supported, Values: "true, false", Default: "false",
		Note: "allows annotations to refer to Secrets and ConfigMaps in other namespaces",
		read: flag(func(s *Settings) *bool { return &s.CrossNamespace })},

	{Key: "limit-req-status-code", Support: Supported, Values: "400 to 599", Default: "503",
		Note: "the status for requests over limit-rps and limit-rpm",
		read: count(400, 599, func(s *Settings) *int { return &s.LimitStatus })},
	{Key: "limit-conn-status-code", Support: Supported, Values: "400 to 599", Default: "503",
		Note: "the status for requests over limit-connections",
		read: count(400, 599, func(s *Settings) *int { return &s.ConnectionLimitStatus })},

	{Key: "access-log-format", Support: Supported, Values: "json, combined, off", Default: "the flag --access-log",
		Note: "the format of the access log",
		read: oneOf([]string{"json", "combined", "off"}, func(s *Settings) *string { return &s.AccessLog })},
	{Key: "disable-access-log", Support: Supported, Values: "true, false", Default: "false",
		Note: "sets access-log-format to off", read: readDisableAccessLog},
	{Key: "log-level", Support: Supported, Values: "debug, info, warn, error", Default: "the flag --log-level",
		Note: "the minimum level of the controller's own log messages",
		read: oneOf([]string{"debug", "info", "warn", "error"}, func(s *Settings) *string { return &s.LogLevel })},
	{Key: "enable-vts-status", Support: Supported, Values: "true, false", Default: "false",
		Note: "shows statistics for each host on the status page",
		read: flag(func(s *Settings) *bool { return &s.VTSStatus })},
}

// flag returns a reader for a boolean.
func flag(field func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		on, err := parseBool(value)
		if err == nil {
			*field(s) = on
		}
		return err
	}
}

// count returns a reader for a whole number.
func count(least, most int, field func(*Settings) *int) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		n, err := parseNumber(value, least, most)
		if err == nil {
			*field(s) = n
		}
		return err
	}
}

// readHSTSMaxAge accepts 0, which makes browsers forget the header.
func readHSTSMaxAge(s *Settings, value string) error {
	d, err := parseSeconds(value, 0, math.MaxInt32*time.Second)
	if err == nil {
		s.HSTS.MaxAge = d
	}
	return err
}

func readRealIP(s *Settings, value string) error {
	all, err := parsePrefixes(value)
	if err != nil {
		s.RealIP = nil // without a valid list, no proxy is trusted
		return err
	}
	s.RealIP = all
	return nil
}

func readDisableAccessLog(s *Settings, value string) error {
	off, err := parseBool(value)
	if off {
		s.AccessLog = "off"
	}
	return err
}

func readRedirectCode(s *Settings, value string) error {
	n, err := parseNumber(value, http.StatusMovedPermanently, http.StatusPermanentRedirect)
	if err != nil {
		return err
	}
	switch n {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		s.Options.Redirects.Code = n
		return nil
	}
	return notOneOf(value, []string{"301", "302", "307", "308"})
}
