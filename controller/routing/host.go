package routing

import (
	"net/netip"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// canonicalHost returns the authority of a request in the form of the Table's hosts: lower case,
// without port and without the trailing dot of an absolute name. It refuses an invalid authority
// (RFC 9112 section 3.2: a server responds with 400), because other servers could read it
// differently.
//
// It lowers only ASCII letters. Unicode rules would turn the Kelvin sign into a k and merge two
// hosts. Internationalized names stay as they are, in practice in their xn-- form.
func canonicalHost(authority string) (host, refusal string) {
	if strings.HasPrefix(authority, "[") {
		return canonicalIPv6(authority)
	}
	host, port, hasPort := strings.Cut(authority, ":")
	if hasPort && !validPort(port) {
		return "", "the Host has no valid port"
	}
	upper := false
	for i := range len(host) {
		if !hostByte(host[i]) {
			return "", "the Host contains a character that a host name cannot have"
		}
		upper = upper || 'A' <= host[i] && host[i] <= 'Z'
	}
	if upper {
		host = lowerASCII(host)
	}
	return strings.TrimSuffix(host, "."), ""
}

// canonicalIPv6 parses "[::1]:80". No rule can have an IP address as its host, so canonicalIPv6
// only checks that it is valid.
func canonicalIPv6(authority string) (host, refusal string) {
	end := strings.IndexByte(authority, ']')
	if end < 0 {
		return "", "the Host has an unclosed bracket"
	}
	host, rest := authority[:end+1], authority[end+1:]
	if rest != "" && (rest[0] != ':' || !validPort(rest[1:])) {
		return "", "the Host has no valid port"
	}
	addr, err := netip.ParseAddr(host[1:end])
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", "the Host has brackets around an invalid IPv6 address"
	}
	return lowerASCII(host), ""
}

// validPort also accepts an empty port: RFC 3986 section 3.2.3 allows "shop.test:".
func validPort(port string) bool {
	if port == "" {
		return true
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// hostByte accepts the bytes of a reg-name (RFC 3986), except the percent sign, which servers
// decode differently, and bytes beyond ASCII.
func hostByte(c byte) bool {
	return c > ' ' && c != 0x7f && strings.IndexByte(`"#%/:<>?@[\]^`+"`{|}", c) < 0
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + ('a' - 'A')
		}
	}
	return string(b)
}

// ruleHost returns the host of a rule in the Table's form. The API server validates hosts, too, but
// older API versions were less strict.
func ruleHost(host string) (string, Reason) {
	if host == "" {
		return "", Reason{}
	}
	host = lowerASCII(host)
	if _, err := netip.ParseAddr(host); err == nil {
		return "", Because(HostIsAddress, "host", host)
	}
	if strings.Contains(host, "*") {
		if len(validation.IsWildcardDNS1123Subdomain(host)) > 0 {
			return "", Because(HostWildcardInvalid, "host", host)
		}
		return host, Reason{}
	}
	if len(validation.IsDNS1123Subdomain(host)) > 0 {
		return "", Because(HostNotDNSName, "host", host)
	}
	return host, Reason{}
}

// wildcardSuffix returns the host without its first label: ".shop.test" for "a.shop.test" and for
// "*.shop.test". It is empty if the host has fewer than two labels.
func wildcardSuffix(host string) string {
	dot := strings.IndexByte(host, '.')
	if dot <= 0 {
		return ""
	}
	return host[dot:]
}
