package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/ingresslab/ingresslab/controller/routing"
)

var (
	errNoRoots = errors.New("cannot verify the certificate: no CA is set (proxy-ssl-secret)")
	errNoName  = errors.New("cannot verify the certificate: no host name is set (proxy-ssl-name)")
	errNoHTTP2 = errors.New("the endpoint does not speak HTTP/2 over TLS (ALPN h2)")
)

// backendTLSConfig returns the TLS client configuration for an endpoint. It verifies the
// certificate itself: crypto/tls would require SNI and doesn't limit the chain's depth. Without
// "proxy-ssl-verify", every certificate is accepted, as in ingress-nginx. Such a connection resists
// eavesdropping, but not a man in the middle.
func backendTLSConfig(secure *routing.BackendTLS, http2 bool) *tls.Config {
	if secure == nil {
		secure = &routing.BackendTLS{}
	}
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: true, // VerifyConnection verifies, if configured
		VerifyConnection: func(state tls.ConnectionState) error {
			if http2 && state.NegotiatedProtocol != "h2" {
				return errNoHTTP2
			}
			if !secure.Verify {
				return nil
			}
			return verifyEndpoint(state.PeerCertificates, secure)
		},
	}
	if http2 {
		config.NextProtos = []string{"h2"}
	}
	if secure.SendName {
		config.ServerName = secure.Name
	}
	if secure.Certificate != nil {
		config.Certificates = []tls.Certificate{*secure.Certificate}
	}
	return config
}

// verifyEndpoint requires a chain to the CA and a matching name. Without a name, the certificate
// would not identify the endpoint.
func verifyEndpoint(presented []*x509.Certificate, secure *routing.BackendTLS) error {
	if secure.Name == "" {
		return errNoName
	}
	return verifyChain(presented, secure.Depth, x509.VerifyOptions{
		Roots:     secure.Roots,
		DNSName:   secure.Name,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// verifyChain verifies the first certificate, with the others as intermediates. Depth has OpenSSL's
// and nginx's meaning (SSL_CTX_set_verify_depth): the number of certificates between the first one
// and the CA, excluding both.
func verifyChain(presented []*x509.Certificate, depth int, options x509.VerifyOptions) error {
	if options.Roots == nil {
		return errNoRoots // crypto/x509 would use the system's roots
	}
	options.Intermediates = x509.NewCertPool()
	for _, certificate := range presented[1:] {
		options.Intermediates.AddCert(certificate)
	}
	chains, err := presented[0].Verify(options)
	if err != nil {
		return err
	}
	shortest := len(chains[0])
	for _, chain := range chains {
		shortest = min(shortest, len(chain))
	}
	if between := shortest - 2; between > depth {
		return fmt.Errorf("certificate chain too long: %d intermediate certificates, maximum %d", between, depth)
	}
	return nil
}
