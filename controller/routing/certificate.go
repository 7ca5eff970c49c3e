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

// Certificate is one that the controller shows to clients.
type Certificate struct {
	// Secret is where it comes from.
	Secret types.NamespacedName
	// TLS has the chain, the key, and the parsed leaf.
	TLS *tls.Certificate
	// Hosts are the names that the Ingresses use it for, sorted, and Names those in it; wildcards as "*.shop.test".
	Hosts, Names []string
	// NotBefore and NotAfter are those of the leaf. Build has no clock, so one that has run out is shown all the same.
	NotBefore, NotAfter time.Time
	// Stale says that the Secret is broken or gone, and this is the last good one.
	Stale bool
}

// certificates finds the certificate for a name.
type certificates struct {
	list []*Certificate
	// wanted are the hosts that some Ingress wants TLS for, whether or not there is a certificate; ".shop.test" stands for
	// "*.shop.test".
	wanted map[string]bool
	// hosts has the certificates for those hosts, names has all of them by the names that are in them.
	hosts, names map[string]*Certificate
	fallback     *Certificate
}

// Certificates are those that the controller shows, sorted by Secret.
func (t *Table) Certificates() []*Certificate {
	if t == nil || t.certificates == nil {
		return nil
	}
	return t.certificates.list
}

// Certificate chooses the certificate for the name that a client asks for (SNI, RFC 6066, section 3): the one that an
// Ingress has for the name, exact before wildcard; then one that has the name in it; then the one of
// --default-ssl-certificate. nil: the self-signed one has to do.
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

// HasCertificate says whether an Ingress wants TLS for a host, which is when ssl-redirect acts: the host is in its spec.tls.
// That holds while the Secret is missing or broken, too: to fall back to HTTP then would be to send passwords in the clear.
func (t *Table) HasCertificate(host string) bool {
	if t == nil || t.certificates == nil {
		return false
	}
	return t.certificates.wanted[host] || t.certificates.wanted[wildcardSuffix(host)]
}

// want notes that a host, or all that fall under a wildcard, are to have TLS.
func (c *certificates) want(host string) { c.wanted[strings.TrimPrefix(host, "*")] = true }

// certification gathers the certificates of a build.
type certification struct {
	certificates
	bySecret map[types.NamespacedName]*Certificate
	// owners are the Ingresses by which hosts have their certificates.
	owners map[string]types.NamespacedName
}

func newCertification() *certification {
	return &certification{
		certificates: certificates{wanted: map[string]bool{}, hosts: map[string]*Certificate{}, names: map[string]*Certificate{}},
		bySecret:     map[types.NamespacedName]*Certificate{},
		owners:       map[string]types.NamespacedName{},
	}
}

// addTLS takes the spec.tls of an Ingress in.
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

// certificateOf gives the certificate of a Secret of the Ingress's own namespace; nil when there is none and never was.
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

// certificate gives the one Certificate of a Secret.
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

// certifyHost gives a host that is listed in spec.tls its certificate.
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
		b.found.add(ing.ref, field, Because(CertificateMismatch, "secret", c.Secret.Name, "names", namesText(c.Names), "host", host).so("clients get the default certificate"))
	default:
		b.show(ing, c, host, field)
	}
}

// certifyNames is for a spec.tls without hosts: it means the hosts of the rules, as far as they are in the certificate. Without a
// Secret it means all of them, and for rules without a host, all names in the certificate.
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

// show makes c the certificate of a host, unless an older Ingress has another one for it.
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
	b.found.add(ing.ref, field, Because(CertificateTaken, "host", host, "secret", first.Secret.String(), "by", b.certification.owners[host].String()))
}

// certify finishes the certificates, the default one included.
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

// covers says whether a client that asks for host would find it in the certificate: literally, or by a wildcard that stands
// for the first label (RFC 9525, section 6.3).
func (c *Certificate) covers(host string) bool {
	return slices.Contains(c.Names, host) || slices.Contains(c.Names, wildcardOf(host))
}

// wildcardOf gives the wildcard that a host falls under, "*.shop.test"; empty when there is none.
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

// hosts are the hosts of an Ingress's rules in their order, each once, those that are no hosts left out. An Ingress without
// rules is for all hosts.
func (ing *ingress) hosts() []string {
	if len(ing.Spec.Rules) == 0 {
		return []string{""}
	}
	var all []string
	for _, rule := range ing.Spec.Rules {
		if host, wrong := ruleHost(rule.Host); !wrong.is() && !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	return all
}
