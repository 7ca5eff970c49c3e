package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/ingresslab/ingresslab/controller/routing"
)

var (
	errNoRoots = errors.New("there is no CA to verify the certificate with")
	errNoName  = errors.New("there is no name to verify the certificate for")
	errNoHTTP2 = errors.New("the endpoint does not speak HTTP/2 over TLS (ALPN h2)")
)

// backendTLSConfig is our side of a connection to an endpoint. The certificate is verified here and not by crypto/tls,
// which would want the name in the handshake, and knows no depth. Without "proxy-ssl-verify" any certificate will do,
// as in ingress-nginx: the connection is then safe from those who listen, not from those who interfere.
func backendTLSConfig(secure *routing.BackendTLS, http2 bool) *tls.Config {
	if secure == nil {
		secure = &routing.BackendTLS{}
	}
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: true, // verified below, if it is wanted
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

// verifyEndpoint wants a chain to the CA and the name; without a name nothing would be known about who it is.
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

// verifyChain verifies the first certificate with the help of the others. Depth is what it is for OpenSSL, and so for
// nginx (SSL_CTX_set_verify_depth): the number of certificates between the first one and the CA, neither counted.
func verifyChain(presented []*x509.Certificate, depth int, options x509.VerifyOptions) error {
	if options.Roots == nil {
		return errNoRoots // crypto/x509 would take the ones of the system
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
		return fmt.Errorf("certificate chain too long: %d certificates below the CA's, at most %d are allowed", between, depth)
	}
	return nil
}
