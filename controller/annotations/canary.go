package annotations

import (
	"fmt"
	"math"
	"regexp"
	"slices"
)

// canaries lists what makes an Ingress a canary, and says which requests it takes. The order in which they are asked is that of
// the list: header, cookie, weight.
var canaries = []Entry{
	{Name: "canary", Group: "canary", Support: Supported, Values: "true, false", Default: "false", Otherwise: "this Ingress is a canary, for it is meant to be no main one",
		Note: "the Ingress makes no route of its own, and takes a share of the requests of the main one with the same host, path and path type", read: readCanary},
	{Name: "canary-by-header", Group: "canary", Support: Supported, With: "canary", Values: "the name of a header",
		Note: "the header that chooses: always is the canary, never is main, all else goes on to the cookie",
		read: token("header", func(o *Options) *string { return &o.Canary.Header })},
	{Name: "canary-by-header-value", Group: "canary", Support: Supported, With: "canary", Values: "text",
		Note: "the only value of that header that means the canary; all else goes on to the cookie",
		read: text(func(o *Options) *string { return &o.Canary.Value })},
	{Name: "canary-by-header-pattern", Group: "canary", Support: Supported, With: "canary", Values: "a regular expression (RE2)",
		Otherwise: "the header chooses nothing",
		Note:      "values of that header that mean the canary, anchored only where the expression says so; canary-by-header-value comes before it", read: readCanaryPattern},
	{Name: "canary-by-cookie", Group: "canary", Support: Supported, With: "canary", Values: "the name of a cookie",
		Note: "the cookie that chooses: always is the canary, never is main, all else goes on to the weight",
		read: token("cookie", func(o *Options) *string { return &o.Canary.Cookie })},
	{Name: "canary-weight", Group: "canary", Support: Supported, With: "canary", Values: "0 to canary-weight-total", Default: "0",
		Note: "the canary's share of the requests that nothing else has chosen for",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Canary.Weight })},
	{Name: "canary-weight-total", Group: "canary", Support: Supported, With: "canary", Values: "100 or more", Default: "100",
		Note: "what the share is a share of",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Canary.WeightTotal })},
}

// beside lists what else counts of a canary: how requests are spread over its own endpoints.
var beside = []string{"load-balance", "upstream-hash-by", "service-upstream"}

// ofCanary says whether an annotation counts on a canary. Names that nobody knows do as far as they are told to have no effect.
func ofCanary(name string) bool {
	e := byName[name]
	if e == nil {
		return !looksLikeSecurity(name)
	}
	return e.Group == "canary" || e.Group == "affinity" || slices.Contains(beside, name)
}

// readCanary takes a value that is no boolean for true: an Ingress whose author wrote "canary" and which became a main route
// would take all the traffic that he wanted to give it a share of.
func readCanary(o *Options, value string) error {
	on, err := parseBool(value)
	o.Canary.Enabled = on || err != nil
	return err
}

// nothing matches no text at all, not even the empty one.
var nothing = regexp.MustCompile(`[^\x00-\x{10FFFF}]`)

func readCanaryPattern(o *Options, value string) error {
	pattern, err := regexp.Compile(value)
	if err != nil {
		o.Canary.Pattern = nothing // without it, "always" would mean the canary
		return fmt.Errorf("%q is not a regular expression of RE2 (%w)", value, err)
	}
	o.Canary.Pattern = pattern
	return nil
}

// settleCanary brings the weight into its range.
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
		r.report("canary-weight", CodeInvalid, fmt.Sprintf("%d is more than the total, %d; it counts as %d", c.Weight, c.WeightTotal, c.WeightTotal))
		c.Weight = c.WeightTotal
	}
}
