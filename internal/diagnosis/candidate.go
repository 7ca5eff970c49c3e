package diagnosis

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// candidate is one path of one rule that could answer a request.
type candidate struct {
	ingress *networkingv1.Ingress
	// field is the path's place: spec.rules[0].http.paths[1].
	field string
	path  networkingv1.HTTPIngressPath
}

func (c candidate) object() string { return "ingress/" + c.ingress.Name }

func (c candidate) kind() networkingv1.PathType {
	if c.path.PathType == nil {
		return networkingv1.PathTypeImplementationSpecific
	}
	return *c.path.PathType
}

// isRegex tells whether the paths of an Ingress are regular expressions, see docs/controller.md.
func isRegex(i *networkingv1.Ingress) bool {
	return i.Annotations[annotations.Prefix+"use-regex"] == "true" || i.Annotations[annotations.Prefix+"rewrite-target"] != ""
}

// matches tells whether the path takes the request's. prefix judges an Exact path as if it were a Prefix.
func (c candidate) matches(path string, prefix bool) bool {
	kind, own := c.kind(), c.path.Path
	if own == "" {
		own = "/"
	}
	switch {
	case kind == networkingv1.PathTypeExact && !prefix:
		return path == own
	case kind != networkingv1.PathTypeExact && isRegex(c.ingress):
		expression, err := regexp.Compile("(?i)^" + own)
		return err == nil && expression.MatchString(path)
	}
	own = strings.TrimSuffix(own, "/")
	return path == own || strings.HasPrefix(path, own+"/")
}

// before orders paths as the controller does: the longest first, Exact before Prefix, the older Ingress first.
func (c candidate) before(o candidate) int {
	exact := func(c candidate) int {
		if c.kind() == networkingv1.PathTypeExact {
			return 0
		}
		return 1
	}
	return cmp.Or(len(o.path.Path)-len(c.path.Path), exact(c)-exact(o), c.ingress.CreationTimestamp.Compare(o.ingress.CreationTimestamp.Time),
		strings.Compare(c.ingress.Namespace+"/"+c.ingress.Name, o.ingress.Namespace+"/"+o.ingress.Name))
}

// rank is how well a rule's host fits a request's: 3 exactly, 2 by a wildcard of one label, 1 as a rule without a host; 0 not at all.
func rank(rule, host string) int {
	_, parent, found := strings.Cut(host, ".")
	switch {
	case rule == "":
		return 1
	case strings.EqualFold(rule, host):
		return 3
	case found && strings.EqualFold(rule, "*."+parent):
		return 2
	}
	return 0
}

func isCanary(i *networkingv1.Ingress) bool {
	return i.Annotations[annotations.Prefix+"canary"] == "true"
}

// candidates returns the paths of the rules that the host belongs to, in the order in which they are tried. Canaries make no rules.
func (d *diagnosis) candidates(host string) []candidate {
	var all []candidate
	best := 1
	for n := range d.Ingresses {
		i := &d.Ingresses[n]
		if d.classFault(i) != nil || isCanary(i) {
			continue
		}
		for r, rule := range i.Spec.Rules {
			fits := rank(rule.Host, host)
			if fits < best {
				continue
			}
			if fits > best {
				best, all = fits, nil
			}
			all = append(all, pathsOf(i, r)...)
		}
	}
	slices.SortStableFunc(all, candidate.before)
	return all
}

// pathsOf returns the paths of the rule with a number. A rule without paths leads to the default back-end.
func pathsOf(i *networkingv1.Ingress, rule int) []candidate {
	field := fmt.Sprintf("spec.rules[%d]", rule)
	var all []candidate
	if http := i.Spec.Rules[rule].HTTP; http != nil {
		for p, path := range http.Paths {
			all = append(all, candidate{i, fmt.Sprintf("%s.http.paths[%d]", field, p), path})
		}
	} else if i.Spec.DefaultBackend != nil {
		all = append(all, candidate{i, "spec.defaultBackend", networkingv1.HTTPIngressPath{Path: "/", Backend: *i.Spec.DefaultBackend}})
	}
	return all
}

func pathList(all []candidate) string {
	var list []string
	for _, c := range all {
		list = append(list, fmt.Sprintf("%s (%s)", c.path.Path, c.kind()))
	}
	return joined(list)
}
