package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// validFor is the validity of a certificate. renewAfter is the age at which a new certificate
	// replaces it.
	validFor   = 90 * 24 * time.Hour
	renewAfter = 60 * 24 * time.Hour
)

// keyPair is a self-signed certificate of this replica. The API server trusts it because it is in
// the caBundle.
type keyPair struct {
	tls  *tls.Certificate
	pem  []byte
	made time.Time
}

// newKeyPair creates a certificate with the DNS names of a Service.
func newKeyPair(service types.NamespacedName, replica string, now time.Time) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("webhook certificate: key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("webhook certificate: serial number: %w", err)
	}
	host := service.Name + "." + service.Namespace + ".svc"
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "ingresslab admission", OrganizationalUnit: []string{replica}},
		DNSNames:              []string{host, host + ".cluster.local"},
		NotBefore:             now.Add(-time.Hour), // clocks of nodes differ
		NotAfter:              now.Add(validFor),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("webhook certificate: %w", err)
	}
	return &keyPair{
		tls:  &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		made: now,
	}, nil
}

// shown is the certificate that the server presents. The API server must already trust it.
type shown struct{ pair atomic.Pointer[keyPair] }

var errNoCertificate = errors.New("the webhook has no certificate yet")

func (s *shown) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair := s.pair.Load(); pair != nil {
		return pair.tls, nil
	}
	return nil, errNoCertificate
}

// maxBundle is the maximum number of certificates in a caBundle. The certificate of a killed
// replica stays until it expires, and a pod in a crash loop must not fill the object.
const maxBundle = 64

// bundle updates a caBundle. It removes drop and all expired or invalid certificates, and adds add
// if it is missing. If there are more than maxBundle, it removes the oldest.
func bundle(old, add, drop []byte, now time.Time) []byte {
	var blocks [][]byte
	keep := func(block *pem.Block) {
		encoded := pem.EncodeToMemory(block)
		if string(encoded) == string(drop) || string(encoded) == string(add) {
			return
		}
		if leaf, err := x509.ParseCertificate(block.Bytes); err != nil || now.After(leaf.NotAfter) {
			return
		}
		blocks = append(blocks, encoded)
	}
	for block, rest := pem.Decode(old); block != nil; block, rest = pem.Decode(rest) {
		keep(block)
	}
	if len(add) > 0 {
		blocks = append(blocks, add)
	}
	// New ones are at the end, so the first are the oldest.
	blocks = blocks[max(0, len(blocks)-maxBundle):]
	var all []byte
	for _, encoded := range blocks {
		all = append(all, encoded...)
	}
	return all
}
