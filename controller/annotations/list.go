package annotations

import (
	"slices"
	"strings"
)

//go:generate go test -run TestDocumentationIsCurrent -update .

// Support says what the controller does with an annotation, or with a key of its ConfigMap.
type Support int

const (
	// NoEffect is a known annotation that has no effect and gets a Diagnostic. Note has the reason.
	NoEffect Support = iota
	// Supported is an annotation with the effect that ingress-nginx documents, or that of Note.
	Supported
	// Blocks is an unsupported security annotation. The routes of the Ingress return 503.
	Blocks
)

// String returns the text for the documentation.
func (s Support) String() string {
	switch s {
	case Supported:
		return "supported"
	case Blocks:
		return "blocks the route"
	default:
		return "no effect"
	}
}

// Entry describes one annotation.
type Entry struct {
	// Name is the name without Prefix.
	Name string
	// Group is the heading above the annotation in the documentation.
	Group   string
	Support Support
	// Values describes the valid values. It is empty if the annotation is not supported.
	Values string
	// Default is the value that applies without the annotation. It is empty if there is none.
	Default string
	// Idle has the values that change nothing, in lower case. They get no Diagnostic.
	Idle []string
	// With is the annotation that enables the feature. Without that one, this annotation has no
	// effect and gets no Diagnostic.
	With string
	// Alias is the current name of this annotation. If an Ingress has both, the value of the
	// current name applies.
	Alias string
	// Security is set if an invalid value blocks the route.
	Security bool
	// Otherwise is the consequence of an invalid value. If it is empty, "the default applies".
	Otherwise string
	// Note describes the effect, or the reason why there is none.
	Note string

	read reader
}

// reader sets an option from a value without surrounding space. If it returns an error, it makes
// only the change that Entry.Otherwise describes.
type reader func(o *Options, value string) error

// List returns all known annotations in the order of the documentation.
func List() []Entry { return slices.Clone(list) }

// idle reports whether value changes nothing. An empty value changes nothing, except for security
// annotations. For example, an allowlist can be empty because of an error in a template.
func (e *Entry) idle(value string) bool {
	if value == "" && !e.Security && e.Support != Blocks {
		return true
	}
	return slices.Contains(e.Idle, strings.ToLower(value))
}

func (e *Entry) otherwise() string {
	if e.Otherwise == "" {
		return "the default applies"
	}
	return e.Otherwise
}

var (
	list = slices.Concat(canaries, affinities, redirects, rewriting, security(auth), security(clientTLS), security(access),
		limits, proxying, balancing, security(backendTLS), errorPages, cors, mirroring, observing, blocking)
	byName = index(list)
)

// security marks supported entries as security annotations.
func security(entries []Entry) []Entry {
	for i := range entries {
		entries[i].Security = entries[i].Support == Supported
	}
	return entries
}

func index(list []Entry) map[string]*Entry {
	m := make(map[string]*Entry, len(list))
	for i := range list {
		m[list[i].Name] = &list[i]
	}
	return m
}

// inUse reports whether a feature is on. Unsupported features are never on.
func inUse(feature string, o *Options) bool {
	switch feature {
	case "canary":
		return o.Canary.Enabled
	case "affinity":
		return o.Affinity.Enabled
	case "permanent-redirect":
		return !o.Redirects.Permanent.IsZero()
	case "temporal-redirect":
		return !o.Redirects.Temporal.IsZero()
	case "proxy-redirect-from":
		return !o.Rewrite.LocationFrom.IsZero()
	case "auth-type":
		return o.Auth.Basic
	case "auth-url":
		return !o.Auth.URL.IsZero()
	case "auth-tls-secret":
		return o.ClientTLS.Secret != ""
	case "limit-rps":
		return o.Limits.RPS > 0 || o.Limits.RPM > 0 || o.Limits.Connections > 0
	case "limit-rate":
		return o.Limits.Rate > 0
	case "backend-protocol":
		return o.Backend.Protocol.TLS()
	case "upstream-hash-by":
		return !o.Backend.HashBy.IsZero()
	case "custom-http-errors":
		return len(o.Errors.Codes) > 0
	case "enable-cors":
		return o.CORS.Enabled
	case "mirror-target":
		return !o.Mirror.Target.IsZero()
	}
	return false
}
