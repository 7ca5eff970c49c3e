package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// findBackendTLS sets up TLS to endpoints (backend-protocol HTTPS or GRPCS, and proxy-ssl-*).
func (b *builder) findBackendTLS(ing *ingress, p *Policy) {
	if !p.Backend.Protocol.TLS() {
		return
	}
	o := p.Backend.TLS
	t := &BackendTLS{Verify: o.Verify, Depth: o.Depth, Name: o.Name, SendName: o.ServerName}
	const annotation = annotations.Prefix + "proxy-ssl-secret"
	var secret *corev1.Secret
	if o.Secret != "" {
		var missing *lack
		if secret, missing = b.secret(ing.Namespace, o.Secret); missing == nil {
			missing = b.readBackendSecret(t, secret)
		}
		if missing != nil {
			b.lack(ing, p, annotation, missing)
			return
		}
	}
	if t.Verify && t.Roots == nil {
		b.lack(ing, p, annotations.Prefix+"proxy-ssl-verify", &lack{reason: Because(BackendTLSRootless)})
		return
	}
	t.Key = t.digest(secret)
	p.BackendTLS = t
}

// readBackendSecret reads a CA, a certificate with its key, or both from a Secret.
func (b *builder) readBackendSecret(t *BackendTLS, secret *corev1.Secret) (missing *lack) {
	hasCA := len(secret.Data["ca.crt"]) > 0
	hasPair := len(secret.Data[corev1.TLSCertKey]) > 0 || len(secret.Data[corev1.TLSPrivateKeyKey]) > 0
	if !hasCA && !hasPair {
		return &lack{reason: Because(BackendTLSEmpty, "secret", secret.Name)}
	}
	if hasCA {
		if t.Roots, missing = b.memory.authorities.get(secret, authority); missing != nil {
			return missing
		}
	}
	if hasPair {
		pair, missing := b.memory.presentations.get(secret, parseKeyPair)
		if missing != nil {
			return missing
		}
		t.Certificate = pair.tls
	}
	return nil
}

// digest computes Key from the content of the Secret, not from its name. Two Secrets with the same
// content share connections, and a new certificate gets new ones.
func (t *BackendTLS) digest(secret *corev1.Secret) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%t %d %q %t", t.Verify, t.Depth, t.Name, t.SendName) // a hash takes everything
	if secret != nil {
		for _, key := range []string{"ca.crt", corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
			_, _ = fmt.Fprintf(h, " %q", secret.Data[key])
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
