package controlplane

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

const (
	// validity is longer than any lab cluster lives; nothing renews certificates here.
	validity = 10 * 365 * 24 * time.Hour
	// clockSkew is how far a certificate reaches into the past: clocks of laptops jump when they wake up.
	clockSkew = time.Hour
)

// Authority is the certificate authority of a cluster. Everybody who talks to the API server, and the API server itself, has
// a certificate of it (https://kubernetes.io/docs/setup/best-practices/certificates/).
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	// PEM is the certificate for others to trust.
	PEM []byte
}

// Leaf says what to certify.
type Leaf struct {
	// User and Groups are the subject: who the API server takes the holder for.
	User   string
	Groups []string
	// Hosts and Addresses are what a server is reached by; a leaf that has any may serve.
	Hosts     []string
	Addresses []netip.Addr
}

// KeyPair is a certificate and its key, PEM.
type KeyPair struct{ Certificate, Key []byte }

// TLS parses the pair.
func (p KeyPair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(p.Certificate, p.Key) }

// OpenAuthority reads the authority whose files are in dir; the first time it makes it.
func OpenAuthority(dir string) (*Authority, error) { return openAuthority(dir, "ca") }

// openAuthority is OpenAuthority for the one whose files have this name.
func openAuthority(dir, name string) (*Authority, error) {
	pair, err := readPair(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return newAuthority(dir, name)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return parseAuthority(pair)
}

func parseAuthority(pair KeyPair) (*Authority, error) {
	both, err := pair.TLS()
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	signer, ok := both.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("certificate authority: its key cannot sign")
	}
	return &Authority{certificate: both.Leaf, key: signer, PEM: pair.Certificate}, nil
}

func newAuthority(dir, name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	template, err := newTemplate(pkix.Name{CommonName: "ingresslab embedded cluster " + name})
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	pair, err := sign(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if err := pair.write(dir, name); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return parseAuthority(pair)
}

// Issue makes a key and certifies it.
func (a *Authority) Issue(l Leaf) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, fmt.Errorf("certificate of %s: %w", l.User, err)
	}
	template, err := newTemplate(pkix.Name{CommonName: l.User, Organization: l.Groups})
	if err != nil {
		return KeyPair{}, fmt.Errorf("certificate of %s: %w", l.User, err)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(l.Hosts)+len(l.Addresses) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	template.DNSNames = l.Hosts
	for _, address := range l.Addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(address.AsSlice()))
	}
	pair, err := sign(template, a.certificate, key, a.key)
	if err != nil {
		return KeyPair{}, fmt.Errorf("certificate of %s: %w", l.User, err)
	}
	return pair, nil
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(validity),
	}, nil
}

func sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey, by crypto.Signer) (KeyPair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		return KeyPair{}, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM}, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func readPair(dir, name string) (KeyPair, error) {
	cert, err := os.ReadFile(filepath.Join(dir, name+".crt"))
	if err != nil {
		return KeyPair{}, err
	}
	key, err := os.ReadFile(filepath.Join(dir, name+".key"))
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{cert, key}, nil
}

// write puts the pair into dir as NAME.key and NAME.crt, the certificate last: it is there only if the key is.
func (p KeyPair) write(dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".key"), p.Key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".crt"), p.Certificate, 0o600)
}
