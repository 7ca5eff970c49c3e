package routing

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// keyPair is a certificate with its key, from a Secret.
type keyPair struct {
	tls *tls.Certificate
	// names are the names in the certificate, in lower case and sorted.
	names []string
}

// keyPair returns the pair in a Secret. If the pair is missing or invalid, it returns a lack, and
// the last valid pair or nil.
func (b *builder) keyPair(name types.NamespacedName) (*keyPair, *lack) {
	old := b.memory.keyPairs.old[name].value
	secret, missing := b.references.secrets.get(name)
	if missing == nil {
		var pair *keyPair
		if pair, missing = b.memory.keyPairs.get(secret, parseKeyPair); missing == nil {
			return pair, nil
		}
	}
	b.memory.keyPairs.current[name] = remembered[*keyPair]{from: secret, value: old, missing: missing} // for the next Build
	return old, missing
}

// parseKeyPair reads a Secret as in
// https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets. Only its content matters,
// not its type.
func parseKeyPair(secret *corev1.Secret) (*keyPair, *lack) {
	certificate, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	for _, field := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		if len(bytes.TrimSpace(secret.Data[field])) == 0 {
			return nil, &lack{reason: Because(SecretKeyMissing, "secret", secret.Name, "key", field)}
		}
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, &lack{reason: Because(KeyPairInvalid, "secret", secret.Name, "error", strings.TrimPrefix(err.Error(), "tls: "))}
	}
	return &keyPair{tls: &pair, names: certificateNames(pair.Leaf)}, nil
}

// certificateNames returns the DNS names of a certificate. Without any, it returns the common name,
// which certificates used before RFC 2818. Current clients reject it (RFC 9525, section 6.3), but
// many guides still create such certificates.
func certificateNames(leaf *x509.Certificate) []string {
	names := leaf.DNSNames
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = []string{leaf.Subject.CommonName}
	}
	lower := make([]string, len(names))
	for i, name := range names {
		lower[i] = strings.TrimSuffix(lowerASCII(name), ".")
	}
	slices.Sort(lower)
	return slices.DeleteFunc(slices.Compact(lower), func(name string) bool { return name == "" })
}
