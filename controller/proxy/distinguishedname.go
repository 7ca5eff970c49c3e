package proxy

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
)

// distinguishedName writes the DER of a name as RFC 2253 has it, the last part first: "CN=alice,O=Shop,C=DE". It is nginx's
// $ssl_client_s_dn. Bytes that are not printable ASCII are written as "\C3", as OpenSSL does, so that no name can be more
// than one header field.
func distinguishedName(der []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return ""
	}
	var b strings.Builder
	for _, c := range []byte(name.String()) {
		if c < ' ' || c > '~' {
			_, _ = fmt.Fprintf(&b, `\%02X`, c) // a Builder has no errors
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
