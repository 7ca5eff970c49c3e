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

// defaultName is the name in the self-signed certificate.
const defaultName = "ingress.local"

// TLSConfig returns the configuration for HTTPS. Each handshake uses the current table: new
// connections get a replaced certificate, and existing connections are not affected. A name without
// a certificate gets a self-signed one, which TLSConfig generates and keeps in memory only. No
// client trusts it, which shows that the name has no certificate. The error is a failure to
// generate that certificate.
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
			return requestingCertificate(base, policy), nil
		}
		return nil, nil // use the base configuration
	}
	return config, nil
}

// requestingCertificate returns the configuration for a host that requests client certificates. The
// handshake requests a certificate, but succeeds without one. Requests without a valid certificate
// are refused later (clienttls.go), so that the client gets an HTTP response. Session tickets are
// disabled: a resumed session would keep the certificate of an earlier handshake.
func requestingCertificate(base *tls.Config, policy *routing.Policy) *tls.Config {
	config := base.Clone()
	config.ClientAuth = tls.RequestClientCert
	config.SessionTicketsDisabled = true
	if policy.ClientTLS.Verify != annotations.VerifyOptionalNoCA {
		config.ClientCAs = policy.ClientCA // sent to the client, which selects a certificate by these CA names
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
		DNSNames:     []string{defaultName}, // clients ignore the CommonName (RFC 9525)
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
