package annotations

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Prefix is what the names of all annotations in the list begin with in an Ingress.
const Prefix = "nginx.ingress.kubernetes.io/"

// Codes of Diagnostics: words for Events and metrics.
const (
	// CodeNotSupported is an annotation without effect; the Ingress is served without it.
	CodeNotSupported = "AnnotationNotSupported"
	// CodeInvalid is a value that could not be read; the default applies.
	CodeInvalid = "AnnotationInvalid"
	// CodeBlocked is an annotation for the sake of which the Ingress's routes answer 503.
	CodeBlocked = "RouteBlocked"
)

// Diagnostic is something wrong with one annotation, or with one key of the controller's ConfigMap.
type Diagnostic struct {
	// Name is the whole name of the annotation, Prefix included, or the key.
	Name string
	// Code is one of the constants above.
	Code string
	// Reason is a sentence for the author of the Ingress, without the annotation's name.
	Reason string
	// Requires is the annotation that must be set, too, with its Prefix; empty: the fault is another one.
	Requires string
}

// Parse reads an Ingress's annotations. Those that do not begin with Prefix are none of its business; what they do not
// say is as in defaults, the Options of Settings. Diagnostics come sorted by name; an annotation has at most one.
//
// Of a canary only the annotations count that say how it takes its share (canary.go). All else is that of the main Ingress,
// its protections included, so it is neither read nor found fault with.
func Parse(all map[string]string, defaults Options) (Options, []Diagnostic) {
	r := reading{o: defaults, all: all}
	for _, name := range ours(all) {
		if !r.o.Canary.Enabled || ofCanary(name) {
			r.read(name, strings.TrimSpace(all[Prefix+name]))
		}
	}
	if !r.o.Canary.Enabled {
		r.settleAuth()
		r.settleBackend()
	}
	r.settleCanary()
	slices.SortFunc(r.diagnostics, func(a, b Diagnostic) int { return strings.Compare(a.Name, b.Name) })
	return r.o, r.diagnostics
}

// reading is the state of one Parse.
type reading struct {
	o           Options
	all         map[string]string
	diagnostics []Diagnostic
}

// has says whether the Ingress has the annotation.
func (r *reading) has(name string) bool {
	_, ok := r.all[Prefix+name]
	return ok
}

// ours returns the names under Prefix, without it, in the order in which they are read: first what decides about others,
// then features, then what refines them; by name within each, for a map has no order and Parse must be deterministic.
func ours(all map[string]string) []string {
	var names []string
	for key := range all {
		if name, ok := strings.CutPrefix(key, Prefix); ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(turn(a), turn(b)), strings.Compare(a, b)) })
	return names
}

func turn(name string) int {
	e := byName[name]
	switch {
	case name == "canary", name == "enable-global-auth":
		return 0
	case e != nil && e.With != "":
		return 2
	}
	return 1
}

// read puts one annotation into the options, or finds a fault.
func (r *reading) read(name, value string) {
	e := byName[name]
	switch {
	case e == nil:
		r.unknown(name)
	case e.idle(value), e.With != "" && !inUse(e.With, &r.o) && e.Support == NoEffect:
		// It asks for nothing, or refines something that nobody asked for.
	case e.Support == NoEffect:
		r.report(name, CodeNotSupported, "has no effect: "+e.Note)
	case e.Support == Blocks:
		r.block(name, "is not supported ("+e.Note+")")
	case e.Alias != "" && r.has(e.Alias):
		if value != strings.TrimSpace(r.all[Prefix+e.Alias]) {
			r.report(name, CodeNotSupported, "has no effect beside "+e.Alias+", which is another name of it")
		}
	default:
		r.invalid(e, e.read(&r.o, value))
	}
}

// invalid finds the fault of a value that could not be read, if there is an error at all.
func (r *reading) invalid(e *Entry, err error) {
	switch {
	case err == nil, e.With != "" && !inUse(e.With, &r.o):
	case e.Security:
		r.block(e.Name, err.Error())
	default:
		r.report(e.Name, CodeInvalid, err.Error()+"; "+e.otherwise())
	}
}

// unknown judges a name that is not in the list. One that reads like a protection closes the route all the same: a
// misspelled allowlist is still somebody's wish not to be open to everybody.
func (r *reading) unknown(name string) {
	hint := ""
	if near := nearest(name); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	if looksLikeSecurity(name) {
		r.block(name, "is not known, but it reads like a protection"+hint)
		return
	}
	r.report(name, CodeNotSupported, "is not supported and has no effect"+hint)
}

// block has the routes of the Ingress answer 503: a protection is asked for that they would not have.
func (r *reading) block(name, reason string) {
	if r.o.Blocked == "" {
		r.o.Blocked = fmt.Sprintf("annotation %s: %s; without it the route would be open", name, reason)
	}
	r.report(name, CodeBlocked, reason+"; the routes of this Ingress answer 503 rather than go unprotected")
}

// require blocks the routes of the Ingress because another annotation is missing.
func (r *reading) require(name, other, why string) {
	r.block(name, other+" is missing, so "+why)
	for i := range r.diagnostics {
		if f := &r.diagnostics[i]; f.Name == Prefix+name && f.Code == CodeBlocked {
			f.Requires = Prefix + other
		}
	}
}

// fault keeps the first fault of each annotation.
func (r *reading) report(name, code, reason string) {
	name = Prefix + name
	if !slices.ContainsFunc(r.diagnostics, func(f Diagnostic) bool { return f.Name == name }) {
		r.diagnostics = append(r.diagnostics, Diagnostic{Name: name, Code: code, Reason: reason})
	}
}

func looksLikeSecurity(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"auth", "allowlist", "whitelist", "denylist", "blacklist", "blocklist", "source-range", "snippet", "modsecurity"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
