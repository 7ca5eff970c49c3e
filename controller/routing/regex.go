package routing

import (
	"regexp"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// The paths of an Ingress with use-regex or rewrite-target are regular expressions, except its
// Exact ones. ingress-nginx makes such a path a location `~* "^/path"`, and this package does the
// same: the expression ignores case, and is anchored at the start of the path only. Unlike in
// ingress-nginx, the paths of other Ingresses for the host do not change.
//
// The syntax is RE2 (https://github.com/google/re2/wiki/Syntax). It has no look-ahead and no
// backreferences, so the cost of a match is linear in the length of the path.

// isRegex reports whether a path of this type is a regular expression under this policy.
func isRegex(p *Policy, written string, pathType networkingv1.PathType) bool {
	return pathType != networkingv1.PathTypeExact && (p.Rewrite.Regex || rewrites(p, written))
}

// patterns compiles the regular expressions of paths, each text once. Helm charts repeat the same
// texts in many Ingresses, and few texts change from one table to the next.
type patterns struct {
	compiled, previous map[string]*regexp.Regexp
}

// compile compiles a path. A dot also matches a line break. Otherwise "/(.*)" would match only half
// of a path with a line break, and the endpoint would get that half.
func (p *patterns) compile(written string) (*regexp.Regexp, Reason) {
	if !strings.HasPrefix(written, "/") {
		return nil, Because(PatternWithoutSlash, "path", written)
	}
	if re := p.compiled[written]; re != nil {
		return re, Reason{}
	}
	re := p.previous[written]
	if re == nil {
		if _, err := regexp.Compile(written); err != nil {
			return nil, Because(PatternInvalid, "path", written, "error", err.Error())
		}
		var err error
		if re, err = regexp.Compile("(?is)^(?:" + written + ")"); err != nil {
			return nil, Because(PatternInvalid, "path", written, "error", err.Error())
		}
	}
	p.compiled[written] = re
	return re, Reason{}
}
