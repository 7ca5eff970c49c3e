package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// authority is a CA of a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// above is the chain up to the root, including this CA; empty for a root.
	above [][]byte
}

// newCA makes a root.
func newCA(t testing.TB, name string) *authority {
	t.Helper()
	return (*authority)(nil).sign(t, name)
}

// sign makes an intermediate CA; a nil authority makes a root.
func (a *authority) sign(t testing.TB, name string) *authority {
	t.Helper()
	ca := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	parent, signer := template, ca.key
	if a != nil {
		parent, signer = a.certificate, a.key
	}
	der := create(t, template, parent, ca.key, signer)
	ca.certificate, _ = x509.ParseCertificate(der)
	if a != nil {
		ca.above = append([][]byte{der}, a.above...)
	}
	return ca
}

// issue makes a certificate for servers and clients. Edits change it before it is signed.
func (a *authority) issue(t testing.TB, name string, edits ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name},
		Subject:   pkix.Name{CommonName: name, Organization: []string{"Shop"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, edit := range edits {
		edit(template)
	}
	der := create(t, template, a.certificate, key, a.key)
	return tls.Certificate{Certificate: append([][]byte{der}, a.above...), PrivateKey: key}
}

// pem is the CA's certificate in the format of a Secret.
func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func create(t testing.TB, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// listenTLS opens an HTTPS listener of the rig's proxy, and returns its address.
func (r *rig) listenTLS() string {
	r.t.Helper()
	config, err := r.server.TLSConfig()
	if err != nil {
		r.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	server := proxy.NewHTTPServer(r.t.Context(), r.server)
	server.TLSConfig = config
	secure := proxy.ListenTLS(listener, config)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(secure) // ends with the Close below
	}()
	r.t.Cleanup(func() { _ = server.Close(); <-done })
	return listener.Addr().String()
}
