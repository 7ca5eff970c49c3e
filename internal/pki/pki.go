// Package pki issues X.509 certificates for embedded clusters, scenarios, and demo servers.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// clockSkew is how long a certificate is valid before its creation: the clocks of nodes differ, and those of laptops jump.
const clockSkew = time.Hour

// Authority is a certificate authority (CA).
type Authority struct {
	PEM []byte // PEM is the authority's certificate

	certificate *x509.Certificate
	key         crypto.Signer
}

// Leaf describes a certificate to issue.
type Leaf struct {
	// User and Groups are the subject. The API server reads the identity of a client from them.
	User      string
	Groups    []string
	Hosts     []string // Hosts and Addresses are the names and IP addresses of a server
	Addresses []netip.Addr
	// Usages limits the use of the key. The default is client authentication and, with Hosts or Addresses, server authentication.
	Usages []x509.ExtKeyUsage
}

// KeyPair is a certificate and its private key in PEM.
type KeyPair struct{ Certificate, Key []byte }

// TLS parses the pair.
func (p KeyPair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(p.Certificate, p.Key) }

// OpenAuthority reads the authority from NAME.crt and NAME.key in dir, and creates it on first use.
func OpenAuthority(dir, name, commonName string, validity time.Duration) (*Authority, error) {
	var pair KeyPair
	var err error
	if pair.Certificate, err = os.ReadFile(filepath.Join(dir, name+".crt")); err == nil {
		pair.Key, err = os.ReadFile(filepath.Join(dir, name+".key"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		if pair, err = newAuthority(commonName, validity); err == nil {
			err = pair.Write(dir, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return parseAuthority(pair)
}

// NewAuthority creates an authority that is not stored in files.
func NewAuthority(commonName string, validity time.Duration) (*Authority, error) {
	pair, err := newAuthority(commonName, validity)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return parseAuthority(pair)
}

func newAuthority(commonName string, validity time.Duration) (KeyPair, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: commonName}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	return sign(template, validity, nil)
}

func parseAuthority(pair KeyPair) (*Authority, error) {
	both, err := pair.TLS()
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	signer, ok := both.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("certificate authority: the key cannot sign")
	}
	return &Authority{certificate: both.Leaf, key: signer, PEM: pair.Certificate}, nil
}

// Pool returns a pool with the authority's certificate.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// Issue creates a key and signs a certificate for it. The certificate expires together with the authority's.
func (a *Authority) Issue(l Leaf) (KeyPair, error) {
	return l.issue(time.Until(a.certificate.NotAfter), a)
}

// SelfSigned creates a key and a certificate that no authority signs.
func SelfSigned(l Leaf, validity time.Duration) (KeyPair, error) { return l.issue(validity, nil) }

func (l Leaf) issue(validity time.Duration, by *Authority) (KeyPair, error) {
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: l.User, Organization: l.Groups},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: l.Usages, DNSNames: l.Hosts,
	}
	if l.Usages == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if len(l.Hosts)+len(l.Addresses) > 0 {
			template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		}
	}
	for _, address := range l.Addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(address.AsSlice()))
	}
	pair, err := sign(template, validity, by)
	if err != nil {
		return KeyPair{}, fmt.Errorf("certificate of %s: %w", l.User, err)
	}
	return pair, nil
}

// sign creates a key and signs the template, with the new key if there is no authority.
func sign(template *x509.Certificate, validity time.Duration, by *Authority) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return KeyPair{}, err
	}
	now := time.Now()
	template.NotBefore, template.NotAfter = now.Add(-clockSkew), now.Add(validity)
	if by == nil {
		by = &Authority{certificate: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		return KeyPair{}, err
	}
	keyPEM, err := EncodeKey(key)
	return KeyPair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM}, err
}

// EncodeKey returns a private key in PEM (PKCS #8).
func EncodeKey(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Write writes NAME.key and then NAME.crt into dir, readable for the owner only. In this order, a certificate never lacks its key.
func (p KeyPair) Write(dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".key"), p.Key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".crt"), p.Certificate, 0o600)
}
