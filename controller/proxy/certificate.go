package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// defaultName is the name in the certificate that is shown when there is no better one.
const defaultName = "ingress.local"

// TLSConfig gives the configuration for HTTPS. Every handshake asks the table of its moment: a certificate that was
// replaced is shown to the next client, and connections that stand are left alone. A name that the table has no
// certificate for gets a self-signed one, which is made now and lives in memory only. No client trusts it, which is the
// point: it shows that nothing was configured for the name. The error is one of making that certificate.
func (s *Server) TLSConfig() (*tls.Config, error) {
	selfSigned, err := newSelfSigned()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if certificate := s.Table().Certificate(hello.ServerName); certificate != nil {
				return certificate, nil
			}
			return selfSigned, nil
		},
	}
	base := config.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if policy := s.Table().ClientTLS(hello.ServerName); policy != nil {
			return asking(base, policy), nil
		}
		return nil, nil // this one
	}
	return config, nil
}

// asking is the configuration for a host that wants to see its clients' certificates. The handshake only asks: what becomes
// of a client without a good one is decided for each request (clienttls.go), which can be told why. There are no
// session tickets: a resumed session carries the certificate of an old handshake, and keeps on carrying it.
func asking(base *tls.Config, policy *routing.Policy) *tls.Config {
	config := base.Clone()
	config.ClientAuth = tls.RequestClientCert
	config.SessionTicketsDisabled = true
	if policy.ClientTLS.Verify != annotations.VerifyOptionalNoCA {
		config.ClientCAs = policy.ClientCA // their names go to the client, which chooses a certificate by them
	}
	return config
}

func newSelfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("default certificate: key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("default certificate: serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "ingresslab default certificate", Organization: []string{"ingresslab"}},
		DNSNames:     []string{defaultName}, // clients look at names here only, never at CommonName (RFC 9525)
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("default certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
