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

// Settings is what the controller's ConfigMap says: the options that apply to Ingresses without the annotation, and what
// belongs to no Ingress. DefaultSettings gives the values that hold without a ConfigMap.
type Settings struct {
	// Options are the start for every Ingress; see Parse.
	Options Options
	// HSTS is the Strict-Transport-Security header of answers over TLS (RFC 6797).
	HSTS HSTS
	// UseForwardedHeaders trusts X-Forwarded-* of clients in RealIP.
	UseForwardedHeaders bool
	// RealIP are the proxies in front of us whose word is taken ("proxy-real-ip-cidr", default 0.0.0.0/0 and ::/0).
	RealIP []netip.Prefix
	// LimitStatus is the status of requests beyond a limit: 400 to 599, default 503 ("limit-req-status-code").
	LimitStatus int
	// ConnectionLimitStatus is that of requests beyond limit-connections: 400 to 599, default 503 ("limit-conn-status-code").
	ConnectionLimitStatus int
	// AccessLog is "json", "combined" or "off"; empty: what the flag says ("access-log-format").
	AccessLog string
	// LogLevel is "debug", "info", "warn" or "error"; empty: what the flag says ("log-level").
	LogLevel string
	// VTSStatus keeps figures for every host, as nginx's module vts does ("enable-vts-status").
	VTSStatus bool
	// CrossNamespace allows references to Secrets and ConfigMaps of other namespaces ("allow-cross-namespace-resources").
	CrossNamespace bool
}

// HSTS is the Strict-Transport-Security header.
type HSTS struct {
	// Enabled is "hsts", default true.
	Enabled bool
	// MaxAge is "hsts-max-age" in seconds, default a year.
	MaxAge time.Duration
	// Subdomains is "hsts-include-subdomains", default true; Preload "hsts-preload", default false.
	Subdomains, Preload bool
}

// Values that hold when nothing is said: those of ingress-nginx.
const (
	DefaultConnectTimeout = 5 * time.Second
	DefaultReadTimeout    = 60 * time.Second
	DefaultSendTimeout    = 60 * time.Second
	DefaultBodySize       = 1 << 20
	DefaultTries          = 3
	DefaultCookieName     = "INGRESSCOOKIE"
)

// DefaultSettings gives the values that hold without a ConfigMap.
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

// ParseSettings reads the data of the controller's ConfigMap. A key that is not known, or whose value cannot be read, is a
// Diagnostic whose Name is the key, and the default applies. A protection for all Ingresses that cannot be had closes the routes of
// all: Settings.Options.Blocked says why. Diagnostics come sorted by name.
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

// compareKeys puts global-auth-url first, for it drops what was said of another service; disable-access-log last, for it wins.
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

// read puts the value of one key into the settings, or finds a fault.
func (s *Settings) read(key, value string, data map[string]string) *Diagnostic {
	known := byKey[key]
	switch {
	case known == nil:
		hint := ""
		if near := nearestKey(key); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		if looksLikeSecurity(key) {
			return s.block(key, "is not known, but it reads like a protection"+hint)
		}
		return &Diagnostic{Name: key, Code: CodeNotSupported, Reason: "is not known and has no effect" + hint}
	case value == "" && !known.Security, slices.Contains(known.Idle, strings.ToLower(value)):
		return nil
	case known.Support == Blocks:
		return s.block(key, "is not supported ("+known.Note+")")
	case known.Support == NoEffect:
		return &Diagnostic{Name: key, Code: CodeNotSupported, Reason: "is not supported and has no effect: " + known.Note}
	case key == "whitelist-source-range" && data["allowlist-source-range"] != "":
		return &Diagnostic{Name: key, Code: CodeNotSupported, Reason: "has no effect beside allowlist-source-range, which is another name of it"}
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

// block has the routes of all Ingresses answer 503.
func (s *Settings) block(key, reason string) *Diagnostic {
	if s.Options.Blocked == "" {
		s.Options.Blocked = fmt.Sprintf("key %s of the controller's ConfigMap: %s; without it every route would be open", key, reason)
	}
	return &Diagnostic{Name: key, Code: CodeBlocked, Reason: reason + "; all routes answer 503 rather than go unprotected"}
}
