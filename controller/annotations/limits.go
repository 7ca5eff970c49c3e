package annotations

import (
	"math"
	"net/netip"
)

// limits lists what bounds a client.
var limits = []Entry{
	{Name: "limit-rps", Group: "limits", Support: Supported, Values: "a number; 0 is none", Note: "requests per second of one client address; all routes of the Ingress count together",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Limits.RPS })},
	{Name: "limit-rpm", Group: "limits", Support: Supported, Values: "a number; 0 is none", Note: "requests per minute of one client address",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Limits.RPM })},
	{Name: "limit-connections", Group: "limits", Support: Supported, Values: "a number; 0 is none", Note: "requests of one client address at the same time",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Limits.Connections })},
	{Name: "limit-burst-multiplier", Group: "limits", Support: Supported, With: "limit-rps", Values: "1 to 1000", Default: "5", Idle: []string{"0"},
		Note: "how many times the rate a burst may have at once", read: number(1, 1000, func(o *Options) *int { return &o.Limits.Burst })},
	{Name: "limit-allowlist", Group: "limits", Support: Supported, With: "limit-rps", Values: "addresses and CIDR ranges, separated by commas",
		Otherwise: "nobody is exempt", Note: "clients without limits", read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Limits.Exempt })},
	{Name: "limit-whitelist", Group: "limits", Support: Supported, With: "limit-rps", Values: "addresses and CIDR ranges, separated by commas", Alias: "limit-allowlist",
		Otherwise: "nobody is exempt", Note: "another name of limit-allowlist", read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Limits.Exempt })},
	{Name: "limit-rate", Group: "limits", Support: Supported, Values: "kilobytes; 0 is no limit", Default: "0",
		Note: "kilobytes per second of one response", read: kilobytes(func(o *Options) *int64 { return &o.Limits.Rate })},
	{Name: "limit-rate-after", Group: "limits", Support: Supported, With: "limit-rate", Values: "kilobytes", Default: "0",
		Note: "how much of it comes before that limit", read: kilobytes(func(o *Options) *int64 { return &o.Limits.RateAfter })},

	{Name: "global-rate-limit", Group: "limits", Idle: []string{"0"}, Note: "limits that several replicas share want a server that counts; limit-rps counts in each replica"},
	{Name: "global-rate-limit-window", Group: "limits", With: "global-rate-limit", Note: "the time in which global-rate-limit counts"},
	{Name: "global-rate-limit-key", Group: "limits", With: "global-rate-limit", Note: "what global-rate-limit counts by"},
	{Name: "global-rate-limit-header-based", Group: "limits", With: "global-rate-limit", Note: "whether global-rate-limit counts by a header"},
	{Name: "global-rate-limit-ignored-cidrs", Group: "limits", With: "global-rate-limit", Note: "clients without global-rate-limit"},
}
