package annotations

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Prefix is the prefix of all annotations in the list.
const Prefix = "nginx.ingress.kubernetes.io/"

// Codes of Diagnostics, for Events and metrics.
const (
	// CodeNotSupported is an annotation without effect. The Ingress is served without it.
	CodeNotSupported = "AnnotationNotSupported"
	// CodeInvalid is an annotation with an invalid value. The default applies.
	CodeInvalid = "AnnotationInvalid"
	// CodeBlocked is an annotation that makes the routes of the Ingress return 503.
	CodeBlocked = "RouteBlocked"
)

// Diagnostic is an error in one annotation, or in one key of the controller's ConfigMap.
type Diagnostic struct {
	// Name is the full name of the annotation, including Prefix, or the key.
	Name string
	// Code is one of the constants above.
	Code string
	// Reason is a sentence for the author of the Ingress. It omits the name.
	Reason string
	// Requires is the missing annotation, including Prefix, or empty if none is missing.
	Requires string
}

// Parse reads the annotations of an Ingress. It ignores names without Prefix. Options without an
// annotation have the value in defaults (Settings.Options). Diagnostics are sorted by name, with at
// most one for each annotation.
//
// For a canary, Parse reads only the annotations that apply to canaries (canary.go). All others
// come from the main Ingress, including security annotations.
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

// reading is the state of one call of Parse.
type reading struct {
	o           Options
	all         map[string]string
	diagnostics []Diagnostic
}

// has reports whether the Ingress has the annotation.
func (r *reading) has(name string) bool {
	_, ok := r.all[Prefix+name]
	return ok
}

// ours returns the names without Prefix in reading order: annotations that affect others, then
// features, then options of features. Names are sorted within each group, because Parse must be
// deterministic and a map has no order.
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

// read sets an option from one annotation, or reports a Diagnostic.
func (r *reading) read(name, value string) {
	e := byName[name]
	switch {
	case e == nil:
		r.unknown(name)
	case e.idle(value), e.With != "" && !inUse(e.With, &r.o) && e.Support == NoEffect:
		// The annotation changes nothing, or its feature is off.
	case e.Support == NoEffect:
		r.report(name, CodeNotSupported, "has no effect: "+e.Note)
	case e.Support == Blocks:
		r.block(name, "is not supported ("+e.Note+")")
	case e.Alias != "" && r.has(e.Alias):
		if value != strings.TrimSpace(r.all[Prefix+e.Alias]) {
			r.report(name, CodeNotSupported, "has no effect: "+e.Alias+", the current name, is set")
		}
	default:
		r.invalid(e, e.read(&r.o, value))
	}
}

// invalid reports a Diagnostic if err says that the value is invalid.
func (r *reading) invalid(e *Entry, err error) {
	switch {
	case err == nil, e.With != "" && !inUse(e.With, &r.o):
	case e.Security:
		r.block(e.Name, err.Error())
	default:
		r.report(e.Name, CodeInvalid, err.Error()+"; "+e.otherwise())
	}
}

// unknown reports a name that is not in the list. A name that looks like a security annotation
// blocks the route: for example, the author of a misspelled allowlist wants to restrict access.
func (r *reading) unknown(name string) {
	hint := ""
	if near := nearest(name); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	if looksLikeSecurity(name) {
		r.block(name, "is unknown, but looks like a security annotation"+hint)
		return
	}
	r.report(name, CodeNotSupported, "is not supported and has no effect"+hint)
}

// block makes the routes of the Ingress return 503, because the annotation would protect them.
func (r *reading) block(name, reason string) {
	if r.o.Blocked == "" {
		r.o.Blocked = fmt.Sprintf("annotation %s: %s; the route fails closed", name, reason)
	}
	r.report(name, CodeBlocked, reason+"; the routes of this Ingress fail closed and return 503")
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

// report keeps the first Diagnostic of each annotation.
func (r *reading) report(name, code, reason string) {
	name = Prefix + name
	if !slices.ContainsFunc(r.diagnostics, func(f Diagnostic) bool { return f.Name == name }) {
		r.diagnostics = append(r.diagnostics, Diagnostic{Name: name, Code: code, Reason: reason})
	}
}

func looksLikeSecurity(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"auth", "allowlist", "whitelist", "denylist", "blacklist", "blocklist", "source-range", "snippet",
		"modsecurity"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
