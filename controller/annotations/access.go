package annotations

import (
	"fmt"
	"net/netip"
)

// access lists which addresses may enter.
var access = []Entry{
	{Name: "allowlist-source-range", Group: "access", Support: Supported, Values: "addresses and CIDR ranges, separated by commas",
		Note: "the client addresses that may enter; others get 403", read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Access.Allow })},
	{Name: "whitelist-source-range", Group: "access", Support: Supported, Values: "addresses and CIDR ranges, separated by commas", Alias: "allowlist-source-range",
		Note: "another name of allowlist-source-range", read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Access.Allow })},
	{Name: "denylist-source-range", Group: "access", Support: Supported, Values: "addresses and CIDR ranges, separated by commas",
		Note: "the client addresses that may not enter, even if the other list has them", read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Access.Deny })},
}

// prefixes makes the reader of a list of addresses.
func prefixes(field func(*Options) *[]netip.Prefix) reader {
	return func(o *Options, value string) error {
		all, err := parsePrefixes(value)
		if err != nil {
			return err
		}
		*field(o) = all
		return nil
	}
}

// parsePrefixes reads addresses and CIDR ranges. An address is the range that has it alone. IPv4 addresses in the guise of IPv6
// (RFC 4291, 2.5.5.2) are IPv4 addresses.
func parsePrefixes(value string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, item := range items(value) {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			addr, addrErr := netip.ParseAddr(item)
			if addrErr != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("%q is neither an address nor a range of addresses", item)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		all = append(all, p.Masked())
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%q has no address in it", value)
	}
	return all, nil
}
