package annotations

import (
	"slices"
	"strings"
	"time"
)

// Support says what the controller does about an annotation.
type Support int

const (
	// NoEffect is known and has no effect yet. The Ingress is served without it, and a Fault says so.
	NoEffect Support = iota
	// Supported has the effect that ingress-nginx documents.
	Supported
	// Closes is a protection that the controller cannot give yet, so the Ingress's routes answer 503.
	Closes
)

// String gives the word of the documentation.
func (s Support) String() string {
	switch s {
	case Supported:
		return "supported"
	case Closes:
		return "closes the route"
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
	// Default is the value that applies when the annotation is absent; empty when there is none.
	Default string
	// Idle holds the values that ask for nothing that does not happen anyway, in lower case. They are no fault.
	Idle []string
	// With names the annotation that this one refines. Alone it means nothing, so it has no fault of its own.
	With string
	// Note is what it does, in a few words.
	Note string

	read func(o *Options, name, value string) *Fault
}

// List returns every annotation that the controller knows, in the order of the documentation.
func List() []Entry { return slices.Clone(list) }

// idle says whether value asks for nothing. An empty value never asks for anything, except from a protection: an
// allowlist that a template left empty may be one whose addresses got lost.
func (e *Entry) idle(value string) bool {
	if value == "" && e.Support == NoEffect {
		return true
	}
	return slices.Contains(e.Idle, strings.ToLower(value))
}

var (
	list   = slices.Concat(proxying, closing, canarying, plain)
	byName = index(list)
)

func index(list []Entry) map[string]*Entry {
	m := make(map[string]*Entry, len(list))
	for i := range list {
		m[list[i].Name] = &list[i]
	}
	return m
}

var proxying = []Entry{
	{Name: "proxy-connect-timeout", Group: "proxy", Support: Supported, Default: "5", Note: "seconds until the connection to an endpoint stands",
		read: timeout(func(o *Options) *time.Duration { return &o.Proxy.ConnectTimeout })},
	{Name: "proxy-read-timeout", Group: "proxy", Support: Supported, Default: "60", Note: "seconds between two reads from an endpoint",
		read: timeout(func(o *Options) *time.Duration { return &o.Proxy.ReadTimeout })},
	{Name: "proxy-send-timeout", Group: "proxy", Support: Supported, Default: "60", Note: "seconds between two writes to an endpoint",
		read: timeout(func(o *Options) *time.Duration { return &o.Proxy.SendTimeout })},
}

var canarying = []Entry{
	{Name: "canary", Group: "canary", Support: Supported, Default: "false", Idle: []string{""}, Note: "makes no route; shares of traffic are not supported yet", read: canary},
	{Name: "canary-by-header", Group: "canary", With: "canary", Note: "the canary by a request header"},
	{Name: "canary-by-header-value", Group: "canary", With: "canary", Note: "the value of that header"},
	{Name: "canary-by-header-pattern", Group: "canary", With: "canary", Note: "a pattern for that header"},
	{Name: "canary-by-cookie", Group: "canary", With: "canary", Note: "the canary by a cookie"},
	{Name: "canary-weight", Group: "canary", With: "canary", Note: "the canary's share of requests"},
	{Name: "canary-weight-total", Group: "canary", With: "canary", Note: "what the share is a share of"},
}
