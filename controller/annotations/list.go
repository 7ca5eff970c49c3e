package annotations

import (
	"slices"
	"strings"
)

//go:generate go test -run TestDocumentationIsCurrent -update .

// Support says what the controller does about an annotation, or about a key of its ConfigMap.
type Support int

const (
	// NoEffect is known and has no effect, for a reason that its Note gives. A Diagnostic says so.
	NoEffect Support = iota
	// Supported has the effect that ingress-nginx documents, or that the Note gives.
	Supported
	// Blocks is a protection that the controller does not give, so the routes answer 503.
	Blocks
)

// String gives the word of the documentation.
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

// Entry is one line of the list of annotations.
type Entry struct {
	// Name is what follows Prefix.
	Name string
	// Group is the heading under which the documentation shows it.
	Group   string
	Support Support
	// Values says which values are accepted, in a few words; empty when the annotation is not supported.
	Values string
	// Default is the value that applies when the annotation is absent; empty when there is none.
	Default string
	// Idle holds the values that ask for nothing that does not happen anyway, in lower case. They are no fault.
	Idle []string
	// With names the annotation that this one refines. Alone it means nothing, so it has no fault of its own.
	With string
	// Alias names the annotation that this one is another name of. If an Ingress has both, that one counts.
	Alias string
	// Security says that a value which cannot be read closes the route.
	Security bool
	// Otherwise is what happens in the place of a value that cannot be read; empty: "the default applies".
	Otherwise string
	// Note is what it does, in a few words, or why it is not supported.
	Note string

	read reader
}

// reader puts a value, which has no space around it, into the options, or says what is wrong with it. It may still have changed
// what Entry.Otherwise says.
type reader func(o *Options, value string) error

// List returns every annotation that the controller knows, in the order of the documentation.
func List() []Entry { return slices.Clone(list) }

// idle says whether value asks for nothing. An empty value never asks for anything, except from a protection: an
// allowlist that a template left empty may be one whose addresses got lost.
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

// security marks all of the entries as protections: without what they say, strangers might get in.
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

// inUse says whether the feature that others refine is switched on. A feature that is not supported never is.
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
