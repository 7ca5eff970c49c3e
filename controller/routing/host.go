package routing

import (
	"net/netip"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// canonicalHost brings the authority of a request into the form in which the Table keeps hosts: lower case, without
// port and without the dot that marks a name as absolute. It returns a refusal for what is no authority at all
// (RFC 9112 section 3.2: a server answers 400), because another server on the way may read such a thing differently.
//
// Only ASCII letters are lowered. Unicode's rules would turn the Kelvin sign into a plain k and so make one host of two;
// internationalized names come as they are, in practice in their xn-- form.
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

// canonicalIPv6 takes "[::1]:80" apart. No rule can name an address, so all that matters is that it is one.
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

// validPort accepts the empty port too: "shop.test:" is allowed by RFC 3986 section 3.2.3.
func validPort(port string) bool {
	if port == "" {
		return true
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// hostByte accepts what RFC 3986 calls a reg-name, less the percent sign, which one server decodes and another does not,
// plus bytes beyond ASCII.
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

// ruleHost brings the host of an Ingress rule into the Table's form. The API server checks hosts too, but not on every
// path by which an Ingress may have come in: older API versions and other servers were laxer.
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

// wildcardSuffix gives what a host must end in after its first label to fall under a wildcard: ".shop.test" both for
// "a.shop.test" and for "*.shop.test". It is empty when there is no first label or nothing after it.
func wildcardSuffix(host string) string {
	dot := strings.IndexByte(host, '.')
	if dot <= 0 {
		return ""
	}
	return host[dot:]
}
