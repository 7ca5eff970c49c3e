package annotations

import (
	"math"
	"net/netip"
)

// limits lists the annotations for rates and sizes.
var limits = []Entry{
	{Name: "limit-rps", Group: "limits", Support: Supported, Values: "a number; 0 means no limit",
		Note: "requests per second from each client address; all routes of the Ingress count together",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Limits.RPS })},
	{Name: "limit-rpm", Group: "limits", Support: Supported, Values: "a number; 0 means no limit",
		Note: "requests per minute from each client address",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Limits.RPM })},
	{Name: "limit-connections", Group: "limits", Support: Supported, Values: "a number; 0 means no limit",
		Note: "concurrent requests from each client address",
		read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Limits.Connections })},
	{Name: "limit-burst-multiplier", Group: "limits", Support: Supported, With: "limit-rps", Values: "1 to 1000", Default: "5",
		Idle: []string{"0"},
		Note: "the burst size, as a multiple of the rate", read: number(1, 1000, func(o *Options) *int { return &o.Limits.Burst })},
	{Name: "limit-allowlist", Group: "limits", Support: Supported, With: "limit-rps",
		Values:    "addresses and CIDR ranges, separated by commas",
		Otherwise: "no client is exempt", Note: "client addresses without limits",
		read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Limits.Exempt })},
	{Name: "limit-whitelist", Group: "limits", Support: Supported, With: "limit-rps",
		Values: "addresses and CIDR ranges, separated by commas", Alias: "limit-allowlist",
		Otherwise: "no client is exempt", Note: "another name for limit-allowlist",
		read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Limits.Exempt })},
	{Name: "limit-rate", Group: "limits", Support: Supported, Values: "kilobytes; 0 means no limit", Default: "0",
		Note: "kilobytes per second for each response", read: kilobytes(func(o *Options) *int64 { return &o.Limits.Rate })},
	{Name: "limit-rate-after", Group: "limits", Support: Supported, With: "limit-rate", Values: "kilobytes", Default: "0",
		Note: "kilobytes that a response sends before limit-rate applies",
		read: kilobytes(func(o *Options) *int64 { return &o.Limits.RateAfter })},

	{Name: "global-rate-limit", Group: "limits", Idle: []string{"0"},
		Note: "shared limits need a central counter; limit-rps counts in each replica"},
	{Name: "global-rate-limit-window", Group: "limits", With: "global-rate-limit", Note: "the interval of global-rate-limit"},
	{Name: "global-rate-limit-key", Group: "limits", With: "global-rate-limit", Note: "the key of global-rate-limit"},
	{Name: "global-rate-limit-header-based", Group: "limits", With: "global-rate-limit",
		Note: "whether global-rate-limit uses a header as its key"},
	{Name: "global-rate-limit-ignored-cidrs", Group: "limits", With: "global-rate-limit",
		Note: "client addresses without global-rate-limit"},
}
