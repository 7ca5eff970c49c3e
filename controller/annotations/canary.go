package annotations

import (
	"fmt"
	"math"
	"regexp"
	"slices"
)

// canaries lists the annotations for canaries. They are evaluated in the order of the list: header,
// cookie, weight.
var canaries = []Entry{
	{Name: "canary", Group: "canary", Support: Supported, Values: "true, false",
		Default: "false", Otherwise: "this Ingress counts as a canary, because it was not meant as a main Ingress",
		Note: "this Ingress takes a share of the requests of the main Ingress with the same host, path, and path type; it makes no route of " +
			"its own",
		read: readCanary},
	{Name: "canary-by-header", Group: "canary", Support: Supported, With: "canary", Values: "the name of a header",
		Note: "the header that selects: always selects the canary, never selects main; other values leave it to the cookie",
		read: token("header", func(o *Options) *string { return &o.Canary.Header })},
	{Name: "canary-by-header-value", Group: "canary", Support: Supported, With: "canary", Values: "text",
		Note: "the only value of that header that selects the canary; other values leave it to the cookie",
		read: text(func(o *Options) *string { return &o.Canary.Value })},
	{Name: "canary-by-header-pattern", Group: "canary", Support: Supported, With: "canary", Values: "a regular expression (RE2)",
		Otherwise: "the header selects nothing",
		Note: "values of that header that select the canary, anchored only where the expression says so; canary-by-header-value takes " +
			"precedence",
		read: readCanaryPattern},
	{Name: "canary-by-cookie", Group: "canary", Support: Supported, With: "canary", Values: "the name of a cookie",
		Note: "the cookie that selects: always selects the canary, never selects main; other values leave it to the weight",
		read: token("cookie", func(o *Options) *string { return &o.Canary.Cookie })},
	{Name: "canary-weight", Group: "canary", Support: Supported, With: "canary", Values: "0 to canary-weight-total", Default: "0",
		Note: "the canary's share of the requests that neither header nor cookie decides",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Canary.Weight })},
	{Name: "canary-weight-total", Group: "canary", Support: Supported, With: "canary", Values: "100 or more", Default: "100",
		Note: "the total that canary-weight is a share of",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Canary.WeightTotal })},
}

// beside lists the other annotations that apply to a canary. They balance requests to its
// endpoints.
var beside = []string{"load-balance", "upstream-hash-by", "service-upstream"}

// ofCanary reports whether an annotation applies to a canary. It returns true for unknown names, so
// that they get a Diagnostic.
func ofCanary(name string) bool {
	e := byName[name]
	if e == nil {
		return !looksLikeSecurity(name)
	}
	return e.Group == "canary" || e.Group == "affinity" || slices.Contains(beside, name)
}

// readCanary counts an invalid value as true. Otherwise, the Ingress would become a main route and
// receive all traffic instead of a share.
func readCanary(o *Options, value string) error {
	on, err := parseBool(value)
	o.Canary.Enabled = on || err != nil
	return err
}

// nothing is a regular expression that matches no text, not even an empty one.
var nothing = regexp.MustCompile(`[^\x00-\x{10FFFF}]`)

func readCanaryPattern(o *Options, value string) error {
	pattern, err := regexp.Compile(value)
	if err != nil {
		o.Canary.Pattern = nothing // without a pattern, "always" would select the canary
		return fmt.Errorf("%q is not a valid RE2 regular expression (%w)", value, err)
	}
	o.Canary.Pattern = pattern
	return nil
}

// settleCanary limits the weight to its range.
func (r *reading) settleCanary() {
	c := &r.o.Canary
	if !c.Enabled {
		return
	}
	if c.WeightTotal < 100 {
		r.report("canary-weight-total", CodeInvalid, fmt.Sprintf("%d is less than 100; it counts as 100", c.WeightTotal))
		c.WeightTotal = 100
	}
	if c.Weight > c.WeightTotal {
		r.report("canary-weight", CodeInvalid, fmt.Sprintf("%d is more than the total, %d; it counts as %d", c.Weight, c.WeightTotal,
			c.WeightTotal))
		c.Weight = c.WeightTotal
	}
}
