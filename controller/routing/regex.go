package routing

import (
	"fmt"
	"regexp"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// The paths of an Ingress with use-regex or rewrite-target are regular expressions, except its Exact ones: Exact is exact,
// says Kubernetes. ingress-nginx makes such a path a location `~* "^/path"`, and so they are read here: upper and lower
// case are the same, and the expression has to match from the beginning of the path, but not to its end. Unlike there, the
// paths of the host's other Ingresses stay what they are.
//
// The syntax is RE2 (https://github.com/google/re2/wiki/Syntax). It has no look-ahead and no back references, and in return
// its cost grows with the length of the path and no faster, whatever a client sends.

// isRegex says whether an Ingress with this policy means a path of this type as a regular expression.
func isRegex(p *Policy, written string, pathType networkingv1.PathType) bool {
	return pathType != networkingv1.PathTypeExact && (p.Rewrite.Regex || rewrites(p, written))
}

// patterns compiles the regular expressions of paths, each text once. Charts write the same few into many Ingresses, and
// from one table to the next hardly any is new.
type patterns struct {
	compiled, previous map[string]*regexp.Regexp
}

func newPatterns(previous *Table) *patterns {
	p := &patterns{compiled: map[string]*regexp.Regexp{}}
	if previous != nil {
		p.previous = previous.patterns
	}
	return p
}

// compile makes a written path an expression. A dot stands for a line break too: otherwise "/(.*)" would take half of a
// path that has one, and the endpoint would get that half.
func (p *patterns) compile(written string) (*regexp.Regexp, error) {
	if !strings.HasPrefix(written, "/") {
		return nil, fmt.Errorf("%q does not begin with a slash", written)
	}
	if re := p.compiled[written]; re != nil {
		return re, nil
	}
	re := p.previous[written]
	if re == nil {
		if _, err := regexp.Compile(written); err != nil {
			return nil, fmt.Errorf("%q is no regular expression in the syntax of RE2: %w", written, err)
		}
		var err error
		if re, err = regexp.Compile("(?is)^(?:" + written + ")"); err != nil {
			return nil, fmt.Errorf("%q is no regular expression in the syntax of RE2: %w", written, err)
		}
	}
	p.compiled[written] = re
	return re, nil
}
