package diagnosis

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/htpasswd"
)

func (d *diagnosis) secret(name string) *corev1.Secret {
	for i := range d.Secrets {
		if d.Secrets[i].Name == name {
			return &d.Secrets[i]
		}
	}
	return nil
}

func (d *diagnosis) secretNames() []string {
	var names []string
	for _, s := range d.Secrets {
		names = append(names, s.Name)
	}
	return names
}

// tlsOf looks for the entry of spec.tls that a request over TLS needs.
func (d *diagnosis) tlsOf(r Request) {
	var has *networkingv1.Ingress
	var hosts []string
	for _, i := range d.own() {
		if d.classFault(i) != nil || isCanary(i) {
			continue
		}
		for _, entry := range i.Spec.TLS {
			if len(entry.Hosts) == 0 || slices.ContainsFunc(entry.Hosts, func(h string) bool { return rank(h, r.Host) > 1 }) {
				return // tlsEntry judges what is in it
			}
			has, hosts = i, append(hosts, entry.Hosts...)
		}
		if has == nil && slices.ContainsFunc(i.Spec.Rules, func(rule networkingv1.IngressRule) bool { return rank(rule.Host, r.Host) > 1 }) {
			has = i
		}
	}
	if has == nil {
		return
	}
	d.add(Finding{Code: CertificateHostMismatch, Object: "ingress/" + has.Name, Field: "spec.tls", Expected: r.Host, Observed: joinedOr(hosts, "no spec.tls"),
		Text: fmt.Sprintf("ingress %s has no spec.tls for host %s (%s), so clients are shown the default certificate", has.Name, r.Host, joinedOr(hosts, "it has none at all"))})
}

// tlsEntries judges the Secrets of an Ingress's spec.tls.
func (d *diagnosis) tlsEntries(i *networkingv1.Ingress) {
	for n, entry := range i.Spec.TLS {
		field := fmt.Sprintf("spec.tls[%d].secretName", n)
		if entry.SecretName == "" {
			if d.wantsTLS(entry) {
				d.add(Finding{Code: SecretMissing, Object: "ingress/" + i.Name, Field: field, Expected: "the name of a Secret", Observed: "none", Text: fmt.Sprintf(
					"spec.tls[%d] of ingress %s names no secret: it has no secretName, so clients are shown the default certificate", n, i.Name)})
			}
			continue
		}
		s := d.secret(entry.SecretName)
		if s == nil {
			d.noSecret("ingress/"+i.Name, field, entry.SecretName)
			continue
		}
		if d.lacksKeys(s, corev1.TLSCertKey, corev1.TLSPrivateKeyKey) {
			if s.Type != corev1.SecretTypeTLS {
				d.add(Finding{Code: SecretTypeWrong, Object: "secret/" + s.Name, Field: "type", Expected: string(corev1.SecretTypeTLS), Observed: string(s.Type),
					Text: fmt.Sprintf("secret %s is of type %s; `kubectl create secret tls` makes one of type %s, with the right keys", s.Name, s.Type, corev1.SecretTypeTLS)})
			}
			continue
		}
		d.certificate(i, n, s)
	}
}

// wantsTLS tells whether a request over TLS is for a host of the entry.
func (d *diagnosis) wantsTLS(entry networkingv1.IngressTLS) bool {
	return slices.ContainsFunc(d.about.Requests, func(r Request) bool {
		return r.TLS && (len(entry.Hosts) == 0 || slices.ContainsFunc(entry.Hosts, func(h string) bool { return rank(h, r.Host) > 1 }))
	})
}

func (d *diagnosis) noSecret(object, field, name string) {
	expected, near := nearest(name, d.secretNames())
	d.add(Finding{Code: SecretMissing, Object: object, Field: field, Expected: expected, Observed: name,
		Text: fmt.Sprintf("%s names the secret %q in %s, which is not in namespace %s%s", strings.Replace(object, "/", " ", 1), name, field, d.Namespace, near)})
}

// lacksKeys finds keys that a Secret has to have.
func (d *diagnosis) lacksKeys(s *corev1.Secret, keys ...string) bool {
	lacks := false
	for _, key := range keys {
		value, is := s.Data[key]
		if len(value) > 0 {
			continue
		}
		lacks = true
		if is {
			d.add(Finding{Code: SecretKeyMissing, Object: "secret/" + s.Name, Field: "data[" + key + "]", Observed: "nothing",
				Text: fmt.Sprintf("secret %s has the key %s, and nothing is in it", s.Name, key)})
			continue
		}
		there := slices.Sorted(maps.Keys(s.Data))
		d.add(Finding{Code: SecretKeyMissing, Object: "secret/" + s.Name, Field: "data[" + key + "]", Expected: key, Observed: joinedOr(there, "no key"),
			Text: fmt.Sprintf("secret %s has no key %s; its keys are %s", s.Name, key, joinedOr(there, "none"))})
	}
	return lacks
}

// certificate judges the certificate in a Secret against the hosts that it is there for.
func (d *diagnosis) certificate(i *networkingv1.Ingress, entry int, s *corev1.Secret) {
	pair, err := tls.X509KeyPair(s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		d.add(Finding{Code: CertificateInvalid, Object: "secret/" + s.Name, Field: "data[tls.crt]", Expected: "a certificate and its key", Observed: strings.TrimPrefix(err.Error(), "tls: "),
			Text: fmt.Sprintf("secret %s holds no certificate with its key: %s", s.Name, strings.TrimPrefix(err.Error(), "tls: "))})
		return
	}
	if until := pair.Leaf.NotAfter; !d.Now.IsZero() && until.Before(d.Now) {
		d.add(Finding{Code: CertificateInvalid, Object: "secret/" + s.Name, Field: "data[tls.crt]", Expected: "valid today", Observed: "valid until " + until.Format(time.DateOnly),
			Text: fmt.Sprintf("the certificate in secret %s has run out on %s", s.Name, until.Format(time.DateOnly))})
	}
	names := pair.Leaf.DNSNames
	if len(names) == 0 && pair.Leaf.Subject.CommonName != "" {
		names = []string{pair.Leaf.Subject.CommonName}
	}
	for _, host := range i.Spec.TLS[entry].Hosts {
		if !slices.ContainsFunc(names, func(name string) bool { return rank(name, host) > 1 }) {
			d.add(Finding{Code: CertificateHostMismatch, Object: "secret/" + s.Name, Field: "data[tls.crt]", Expected: "a certificate for " + host, Observed: joinedOr(names, "no name"),
				Text: fmt.Sprintf("the certificate in secret %s is for %s, and ingress %s wants it for %s", s.Name, joinedOr(names, "no name"), i.Name, host)})
		}
	}
}

// passwords judges the Secret of an Ingress that asks for a password.
func (d *diagnosis) passwords(i *networkingv1.Ingress) {
	name := i.Annotations[annotations.Prefix+"auth-secret"]
	if !strings.EqualFold(i.Annotations[annotations.Prefix+"auth-type"], "basic") || name == "" { // the controller takes Basic, too
		return
	}
	if namespace, rest, found := strings.Cut(name, "/"); found && namespace == d.Namespace {
		name = rest
	}
	field := "metadata.annotations[" + annotations.Prefix + "auth-secret]"
	s := d.secret(name)
	if s == nil {
		d.noSecret("ingress/"+i.Name, field, name)
		return
	}
	var users *htpasswd.Users
	var faults []htpasswd.Fault
	if i.Annotations[annotations.Prefix+"auth-secret-type"] == "auth-map" {
		users, faults = htpasswd.ParseMap(s.Data)
	} else {
		if d.lacksKeys(s, "auth") {
			return
		}
		users, faults = htpasswd.Parse(s.Data["auth"])
	}
	if len(faults) == 0 && users.Len() > 0 {
		d.users(i, s)
		return
	}
	f := Finding{Code: AuthFileInvalid, Object: "secret/" + s.Name, Field: "data[auth]", Expected: "lines of user:hash"}
	switch {
	case len(faults) > 0:
		f.Observed = faults[0].Where + " " + faults[0].Reason
		f.Text = fmt.Sprintf("in secret %s, %s: %s", s.Name, faults[0].Where, faults[0].Reason)
	case users.Len() == 0:
		f.Observed, f.Text = "no user", fmt.Sprintf("secret %s names no user, so nobody can enter", s.Name)
	}
	d.add(f)
}

// users looks for those who come in with a password to an Ingress.
func (d *diagnosis) users(i *networkingv1.Ingress, s *corev1.Secret) {
	names := slices.Sorted(maps.Keys(s.Data))
	if i.Annotations[annotations.Prefix+"auth-secret-type"] != "auth-map" {
		names = nil
		for line := range strings.Lines(string(s.Data["auth"])) {
			if name, _, found := strings.Cut(line, ":"); found && !strings.HasPrefix(line, "#") {
				names = append(names, strings.TrimSpace(name))
			}
		}
	}
	for _, r := range d.about.Requests {
		asked := slices.ContainsFunc(i.Spec.Rules, func(rule networkingv1.IngressRule) bool { return rank(rule.Host, r.Host) > 0 })
		if r.User == "" || !asked || slices.Contains(names, r.User) {
			continue
		}
		d.add(Finding{Code: UserMissing, Object: "secret/" + s.Name, Field: "data[auth]", Expected: "a line for " + r.User, Observed: joined(names),
			Text: fmt.Sprintf("secret %s has no user %s; it has %s", s.Name, r.User, joined(names))})
	}
}
