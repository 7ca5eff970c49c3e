package annotations

import (
	"fmt"
	"net/netip"
)

// access lists the annotations for client addresses.
var access = []Entry{
	{Name: "allowlist-source-range", Group: "access", Support: Supported, Values: "addresses and CIDR ranges, separated by commas",
		Note: "the allowed client addresses; others get 403", read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Access.Allow })},
	{Name: "whitelist-source-range", Group: "access", Support: Supported,
		Values: "addresses and CIDR ranges, separated by commas", Alias: "allowlist-source-range",
		Note: "another name for allowlist-source-range", read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Access.Allow })},
	{Name: "denylist-source-range", Group: "access", Support: Supported, Values: "addresses and CIDR ranges, separated by commas",
		Note: "the rejected client addresses, even if the allowlist contains them",
		read: prefixes(func(o *Options) *[]netip.Prefix { return &o.Access.Deny })},
}

// prefixes returns a reader for a list of addresses.
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

// parsePrefixes reads addresses and CIDR ranges. An address becomes a range of one address.
// IPv4-mapped IPv6 addresses (RFC 4291, 2.5.5.2) become IPv4 addresses.
func parsePrefixes(value string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, item := range items(value) {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			addr, addrErr := netip.ParseAddr(item)
			if addrErr != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("%q is neither an IP address nor a CIDR range", item)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		all = append(all, p.Masked())
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%q contains no address", value)
	}
	return all, nil
}
