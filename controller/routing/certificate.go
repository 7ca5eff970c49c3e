package routing

import (
	"crypto/tls"
)

// certificates finds the certificate for a name.
type certificates struct {
	list     []*Certificate
	fallback *Certificate
}

// Certificates are those that the controller shows, sorted by Secret.
func (t *Table) Certificates() []*Certificate {
	if t == nil || t.certificates == nil {
		return nil
	}
	return t.certificates.list
}

// Certificate chooses the certificate for the name that a client asks for (SNI, RFC 6066, section 3): exact, then
// wildcard, then the one of --default-ssl-certificate. nil: the self-signed one has to do.
func (t *Table) Certificate(serverName string) *tls.Certificate {
	return nil // TODO(contract)
}

// HasCertificate says whether a host has a certificate of its own, which is when ssl-redirect acts.
func (t *Table) HasCertificate(host string) bool {
	return false // TODO(contract)
}

// ClientTLS gives the policy by which a client that asks for this name is asked for a certificate (auth-tls-*); nil: it
// is not. It is one policy a host; of two Ingresses with different ones, the older one's counts, and the other is closed.
func (t *Table) ClientTLS(serverName string) *Policy {
	return nil // TODO(contract)
}
