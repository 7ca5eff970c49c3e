package routing

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Certificate is a TLS certificate that the controller presents to clients.
type Certificate struct {
	// Secret is the Secret that contains the certificate.
	Secret types.NamespacedName
	// TLS has the chain, the key, and the parsed leaf.
	TLS *tls.Certificate
	// Hosts are the hosts for which Ingresses use the certificate. Names are the names in it. Both
	// are sorted, with wildcards such as "*.shop.test".
	Hosts, Names []string
	// NotBefore and NotAfter are the validity of the leaf. Build has no clock, so the controller
	// still serves an expired certificate.
	NotBefore, NotAfter time.Time
	// Stale is set if the Secret is invalid or deleted, and this is the last valid certificate.
	Stale bool
}

// certificates finds the certificate for a server name.
type certificates struct {
	list []*Certificate
	// wanted has the hosts for which an Ingress requests TLS, even without a certificate. The key
	// for "*.shop.test" is ".shop.test".
	wanted map[string]bool
	// hosts has the certificates of the wanted hosts, and names has all by the names in them.
	hosts, names map[string]*Certificate
	fallback     *Certificate
}

// Certificates returns the certificates that the controller serves, sorted by Secret.
func (t *Table) Certificates() []*Certificate {
	if t == nil || t.certificates == nil {
		return nil
	}
	return t.certificates.list
}

// Certificate selects the certificate for a server name (SNI, RFC 6066, section 3): first the one
// that an Ingress sets for the name, exact before wildcard; then one that contains the name; then
// that of --default-ssl-certificate. It returns nil for the self-signed certificate.
func (t *Table) Certificate(serverName string) *tls.Certificate {
	if t == nil || t.certificates == nil {
		return nil
	}
	c := t.certificates
	name := strings.TrimSuffix(lowerASCII(serverName), ".")
	for _, from := range []map[string]*Certificate{c.hosts, c.names} {
		for _, key := range []string{name, wildcardOf(name)} {
			if found := from[key]; found != nil {
				return found.TLS
			}
		}
	}
	if c.fallback != nil {
		return c.fallback.TLS
	}
	return nil
}

// HasCertificate reports whether an Ingress requests TLS for a host: spec.tls lists it, and
// ssl-redirect applies. This is also true while the Secret is missing or invalid, because a
// fallback to HTTP would send passwords in plain text.
func (t *Table) HasCertificate(host string) bool {
	if t == nil || t.certificates == nil {
		return false
	}
	return t.certificates.wanted[host] || t.certificates.wanted[wildcardSuffix(host)]
}

// want records that a host, or all hosts of a wildcard, should have TLS.
func (c *certificates) want(host string) { c.wanted[strings.TrimPrefix(host, "*")] = true }

// certification collects certificates during Build.
type certification struct {
	certificates
	bySecret map[types.NamespacedName]*Certificate
	// owners has the Ingress that sets the certificate of each host.
	owners map[string]types.NamespacedName
}

func newCertification() *certification {
	return &certification{
		certificates: certificates{wanted: map[string]bool{}, hosts: map[string]*Certificate{}, names: map[string]*Certificate{}},
		bySecret:     map[types.NamespacedName]*Certificate{},
		owners:       map[string]types.NamespacedName{},
	}
}

// addTLS adds the spec.tls of an Ingress.
func (b *builder) addTLS(ing *ingress) {
	for i := range ing.Spec.TLS {
		entry, field := &ing.Spec.TLS[i], "spec.tls["+strconv.Itoa(i)+"]"
		var c *Certificate
		if entry.SecretName != "" {
			c = b.certificateOf(ing, entry.SecretName, field+".secretName")
		}
		if len(entry.Hosts) == 0 {
			b.certifyNames(ing, c, entry.SecretName == "", field)
			continue
		}
		for j, written := range entry.Hosts {
			b.certifyHost(ing, c, written, field+".hosts["+strconv.Itoa(j)+"]")
		}
	}
}

// certificateOf returns the certificate of a Secret in the Ingress's namespace. It is nil if the
// Secret never had a valid one.
func (b *builder) certificateOf(ing *ingress, secret, field string) *Certificate {
	c, missing := b.certificate(types.NamespacedName{Namespace: ing.Namespace, Name: secret})
	if missing != nil && !missing.loading {
		instead := "the default certificate"
		if c != nil {
			instead = "the last good certificate"
		}
		b.found.add(ing.ref, field, missing.reason.so("clients get "+instead))
	}
	return c
}

// certificate returns the Certificate of a Secret, the same one for every Ingress.
func (b *builder) certificate(secret types.NamespacedName) (*Certificate, *lack) {
	pair, missing := b.keyPair(secret)
	if pair == nil {
		return nil, missing
	}
	c := b.certification.bySecret[secret]
	if c == nil {
		leaf := pair.tls.Leaf
		c = &Certificate{
			Secret: secret, TLS: pair.tls, Names: pair.names,
			NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
			Stale: missing != nil && !missing.loading,
		}
		b.certification.bySecret[secret] = c
	}
	return c, missing
}

// certifyHost assigns a certificate to a host in spec.tls.
func (b *builder) certifyHost(ing *ingress, c *Certificate, written, field string) {
	host, wrong := ruleHost(written)
	if wrong.is() || host == "" {
		b.found.add(ing.ref, field, Because(HostWithoutCertificate, "host", written))
		return
	}
	b.certification.want(host)
	switch {
	case c == nil:
	case !c.covers(host):
		b.found.add(ing.ref, field, Because(CertificateMismatch, "secret", c.Secret.Name, "names", namesText(c.Names), "host",
			host).so("clients get the default certificate"))
	default:
		b.show(ing, c, host, field)
	}
}

// certifyNames handles a spec.tls without hosts: it covers the hosts of the rules that the
// certificate contains. Without a Secret, it covers all hosts of the rules. For rules without a
// host, it covers all names in the certificate.
func (b *builder) certifyNames(ing *ingress, c *Certificate, all bool, field string) {
	for _, host := range ing.hosts() {
		switch {
		case host == "" && c != nil:
			for _, name := range c.Names {
				b.certification.want(name)
				b.show(ing, c, name, field)
			}
		case host != "" && c != nil && c.covers(host):
			b.certification.want(host)
			b.show(ing, c, host, field)
		case host != "" && all:
			b.certification.want(host)
		}
	}
}

// show sets the certificate of a host, unless an older Ingress sets a different one.
func (b *builder) show(ing *ingress, c *Certificate, host, field string) {
	first := b.certification.hosts[host]
	if first == nil {
		b.certification.hosts[host] = c
		b.certification.owners[host] = ing.name
		c.Hosts = append(c.Hosts, host)
		return
	}
	if first == c || bytes.Equal(first.TLS.Leaf.Raw, c.TLS.Leaf.Raw) {
		return
	}
	b.found.add(ing.ref, field, Because(CertificateTaken, "host", host, "secret", first.Secret.String(), "by",
		b.certification.owners[host].String()))
}

// certify returns all collected certificates, including the default one.
func (b *builder) certify(defaultCertificate types.NamespacedName) *certificates {
	c := b.certification
	if defaultCertificate.Name != "" {
		var missing *lack
		if c.fallback, missing = b.certificate(defaultCertificate); missing != nil && !missing.loading {
			secret := ObjectRef{Kind: "Secret", Namespace: defaultCertificate.Namespace, Name: defaultCertificate.Name}
			b.found.add(secret, "--default-ssl-certificate", missing.reason)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(c.bySecret), compareNames) {
		one := c.bySecret[name]
		slices.Sort(one.Hosts)
		c.list = append(c.list, one)
		for _, n := range one.Names {
			if c.names[n] == nil && one != c.fallback {
				c.names[n] = one
			}
		}
	}
	return &c.certificates
}

// covers reports whether the certificate is valid for a host: it contains the host, or a wildcard
// for its first label (RFC 9525, section 6.3).
func (c *Certificate) covers(host string) bool {
	return slices.Contains(c.Names, host) || slices.Contains(c.Names, wildcardOf(host))
}

// wildcardOf returns the wildcard that matches a host ("*.shop.test"), or "" if there is none.
func wildcardOf(host string) string {
	if suffix := wildcardSuffix(host); suffix != "" {
		return "*" + suffix
	}
	return ""
}

func namesText(names []string) string {
	const enough = 5
	switch {
	case len(names) == 0:
		return "no DNS name"
	case len(names) > enough:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:enough], ", "), len(names)-enough)
	}
	return strings.Join(names, ", ")
}
