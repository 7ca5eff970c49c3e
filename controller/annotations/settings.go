package annotations

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Settings are the values of the controller's ConfigMap: the defaults of annotations, and the
// settings of the whole controller. DefaultSettings returns the defaults.
type Settings struct {
	// Options are the defaults for every Ingress; see Parse.
	Options Options
	// HSTS is the Strict-Transport-Security header of responses over TLS (RFC 6797).
	HSTS HSTS
	// UseForwardedHeaders trusts X-Forwarded-* headers from clients in RealIP.
	UseForwardedHeaders bool
	// RealIP are the trusted proxies in front of the controller ("proxy-real-ip-cidr", default
	// 0.0.0.0/0 and ::/0).
	RealIP []netip.Prefix
	// LimitStatus is the status for requests over a rate: 400 to 599, default 503
	// ("limit-req-status-code").
	LimitStatus int
	// ConnectionLimitStatus is the status for requests over limit-connections: 400 to 599, default
	// 503 ("limit-conn-status-code").
	ConnectionLimitStatus int
	// AccessLog is "json", "combined", "off", or empty to use the flag ("access-log-format").
	AccessLog string
	// LogLevel is "debug", "info", "warn", "error", or empty to use the flag ("log-level").
	LogLevel string
	// VTSStatus shows statistics for each host, as nginx's module vts does ("enable-vts-status").
	VTSStatus bool
	// CrossNamespace allows references to Secrets and ConfigMaps in other namespaces
	// ("allow-cross-namespace-resources").
	CrossNamespace bool
}

// HSTS is the Strict-Transport-Security header.
type HSTS struct {
	// Enabled is "hsts", default true.
	Enabled bool
	// MaxAge is "hsts-max-age", which is in seconds. The default is a year.
	MaxAge time.Duration
	// Subdomains is "hsts-include-subdomains", default true; Preload "hsts-preload", default false.
	Subdomains, Preload bool
}

// Default values, as in ingress-nginx.
const (
	DefaultConnectTimeout = 5 * time.Second
	DefaultReadTimeout    = 60 * time.Second
	DefaultSendTimeout    = 60 * time.Second
	DefaultBodySize       = 1 << 20
	DefaultTries          = 3
	DefaultCookieName     = "INGRESSCOOKIE"
)

// DefaultSettings returns the settings that apply without a ConfigMap.
func DefaultSettings() Settings {
	return Settings{
		Options:               defaultOptions(),
		HSTS:                  HSTS{Enabled: true, MaxAge: 365 * 24 * time.Hour, Subdomains: true},
		RealIP:                []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
		LimitStatus:           503,
		ConnectionLimitStatus: 503,
	}
}

func defaultOptions() Options {
	return Options{
		Canary:    Canary{WeightTotal: 100},
		Affinity:  Affinity{Cookie: SessionCookie{Name: DefaultCookieName}},
		Redirects: Redirects{SSL: true, PermanentCode: 301, TemporalCode: 302, Code: 308},
		Auth:      defaultAuth(),
		ClientTLS: ClientTLS{Depth: 1},
		Limits:    Limits{Burst: 5},
		Proxy: Proxy{
			ConnectTimeout: DefaultConnectTimeout, ReadTimeout: DefaultReadTimeout, SendTimeout: DefaultSendTimeout,
			BodySize: DefaultBodySize, NextUpstream: NextUpstream{Error: true, Timeout: true}, Tries: DefaultTries,
		},
		Backend: Backend{TLS: BackendTLS{Depth: 1}},
		CORS: CORS{
			Origins: []string{"*"}, Credentials: true, MaxAge: 1728000 * time.Second,
			Methods: "GET, PUT, POST, DELETE, PATCH, OPTIONS",
			Headers: "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization",
		},
		Mirror: Mirror{RequestBody: true},
	}
}

func defaultAuth() Auth {
	return Auth{
		SignInParam: "rd",
		CacheDuration: map[int]time.Duration{
			http.StatusOK: 5 * time.Minute, http.StatusAccepted: 5 * time.Minute, http.StatusUnauthorized: 5 * time.Minute,
		},
	}
}

// ParseSettings reads the data of the controller's ConfigMap. An unknown key or an invalid value
// gets a Diagnostic, and the default applies. If a security setting cannot be applied, it blocks
// all routes: Settings.Options.Blocked has the reason. Diagnostics are sorted by name.
func ParseSettings(data map[string]string) (Settings, []Diagnostic) {
	s := DefaultSettings()
	var diagnostics []Diagnostic
	for _, key := range slices.SortedFunc(maps.Keys(data), compareKeys) {
		if f := s.read(key, strings.TrimSpace(data[key]), data); f != nil {
			diagnostics = append(diagnostics, *f)
		}
	}
	slices.SortFunc(diagnostics, func(a, b Diagnostic) int { return strings.Compare(a.Name, b.Name) })
	return s, diagnostics
}

// compareKeys sorts keys in reading order. global-auth-url is first, because it resets the other
// auth settings. disable-access-log is last, because it takes precedence over other keys.
func compareKeys(a, b string) int {
	rank := func(key string) int {
		switch key {
		case "global-auth-url", "proxy-next-upstream":
			return 0
		case "disable-access-log":
			return 2
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
}

// read sets the value of one key, or returns a Diagnostic.
func (s *Settings) read(key, value string, data map[string]string) *Diagnostic {
	known := byKey[key]
	switch {
	case known == nil:
		hint := ""
		if near := nearestKey(key); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		if looksLikeSecurity(key) {
			return s.block(key, "is unknown, but looks like a security setting"+hint)
		}
		return &Diagnostic{Name: key, Code: CodeNotSupported, Reason: "is unknown and has no effect" + hint}
	case value == "" && !known.Security, slices.Contains(known.Idle, strings.ToLower(value)):
		return nil
	case known.Support == Blocks:
		return s.block(key, "is not supported ("+known.Note+")")
	case known.Support == NoEffect:
		return &Diagnostic{Name: key, Code: CodeNotSupported, Reason: "is not supported and has no effect: " + known.Note}
	case key == "whitelist-source-range" && data["allowlist-source-range"] != "":
		return &Diagnostic{Name: key, Code: CodeNotSupported, Reason: "has no effect: allowlist-source-range, the current name, is set"}
	}
	err := known.read(s, value)
	switch {
	case err == nil, known.With != "" && !inUse(known.With, &s.Options):
		return nil
	case known.Security:
		return s.block(key, err.Error())
	case key == "proxy-real-ip-cidr":
		return &Diagnostic{Name: key, Code: CodeInvalid, Reason: err.Error() + "; no proxy is trusted"}
	}
	return &Diagnostic{Name: key, Code: CodeInvalid, Reason: err.Error() + "; the default applies"}
}

// block makes the routes of all Ingresses return 503.
func (s *Settings) block(key, reason string) *Diagnostic {
	if s.Options.Blocked == "" {
		s.Options.Blocked = fmt.Sprintf("key %s of the controller's ConfigMap: %s; all routes fail closed", key, reason)
	}
	return &Diagnostic{Name: key, Code: CodeBlocked, Reason: reason + "; all routes fail closed and return 503"}
}
