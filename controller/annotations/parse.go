package annotations

import (
	"fmt"
	"slices"
	"strings"
)

// Prefix is what the names of all annotations in the list begin with in an Ingress.
const Prefix = "nginx.ingress.kubernetes.io/"

// Codes of Faults: words for Events and metrics.
const (
	// CodeNotSupported is an annotation without effect; the Ingress is served without it.
	CodeNotSupported = "AnnotationNotSupported"
	// CodeInvalid is a value that could not be read; the default applies.
	CodeInvalid = "AnnotationInvalid"
	// CodeClosed is an annotation for the sake of which the Ingress's routes answer 503.
	CodeClosed = "RouteClosed"
	// CodeCanary is an Ingress that makes no route because it is a canary.
	CodeCanary = "CanaryNotSupported"
)

// Fault is something wrong with one annotation.
type Fault struct {
	// Name is the whole name of the annotation, Prefix included.
	Name string
	// Code is one of the constants above.
	Code string
	// Reason is a sentence for the author of the Ingress, without the annotation's name.
	Reason string
}

// Parse reads an Ingress's annotations. Those that do not begin with Prefix are none of its business; what they do not
// say is as in defaults, the Options of Settings. Faults come sorted by name; an annotation has at most one.
func Parse(all map[string]string, defaults Options) (Options, []Fault) {
	o := defaults
	names := ours(all)
	if len(names) == 0 {
		return o, nil
	}
	var faults []Fault
	for _, name := range names {
		if f := apply(&o, name, all[Prefix+name]); f != nil {
			faults = append(faults, *f)
		}
	}
	if o.Canary.Enabled {
		// It makes no route, so how that route would have behaved is beside the point.
		faults = slices.DeleteFunc(faults, func(f Fault) bool { return f.Code != CodeCanary })
	}
	return o, faults
}

// ours returns the names under Prefix, without it, sorted: a map has no order, and Parse must be deterministic.
func ours(all map[string]string) []string {
	var names []string
	for key := range all {
		if name, ok := strings.CutPrefix(key, Prefix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// apply puts one annotation into o, or says why it does not.
func apply(o *Options, name, value string) *Fault {
	e, known := byName[name]
	if !known {
		return unknown(o, name)
	}
	if e.idle(value) {
		return nil
	}
	switch e.Support {
	case Supported:
		return e.read(o, name, value)
	case Closes:
		return closeRoute(o, name, e.Note)
	default:
		if e.With != "" {
			// Its fault, if there is one, is reported on the annotation it refines.
			return nil
		}
		return &Fault{Prefix + name, CodeNotSupported, "is not supported yet and has no effect: " + e.Note}
	}
}

// unknown judges a name that is not in the list. One that reads like a protection closes the route all the same: a
// misspelled allowlist is still somebody's wish not to be open to everybody.
func unknown(o *Options, name string) *Fault {
	hint := ""
	if near := nearest(name); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	if soundsLikeProtection(name) {
		return closeRoute(o, name, "unknown, but it reads like a protection"+hint)
	}
	return &Fault{Prefix + name, CodeNotSupported, "is not supported and has no effect" + hint}
}

func closeRoute(o *Options, name, note string) *Fault {
	if o.Closed == "" {
		o.Closed = fmt.Sprintf("annotation %s is not supported, and without it the route would be open", name)
	}
	return &Fault{Prefix + name, CodeClosed,
		fmt.Sprintf("is not supported (%s); the routes of this Ingress answer 503 rather than go unprotected", note)}
}

func soundsLikeProtection(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"auth", "allowlist", "whitelist", "denylist", "blacklist", "blocklist", "source-range", "snippet", "modsecurity"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
