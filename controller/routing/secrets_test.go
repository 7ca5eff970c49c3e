package routing_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// generate replaces placeholders in a Secret, so that the repository has no keys. In stringData,
// "certificate of shop.test, *.shop.test" becomes a new certificate with these names, and "key of
// shop.test, *.shop.test" becomes its key.
func generate(t testing.TB, secret *corev1.Secret) *corev1.Secret {
	t.Helper()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	for key, value := range secret.StringData {
		secret.Data[key] = []byte(value)
		if names, ok := strings.CutPrefix(value, "certificate of "); ok {
			secret.Data[key] = pairOf(t, names).certificate
		} else if names, ok := strings.CutPrefix(value, "key of "); ok {
			secret.Data[key] = pairOf(t, names).key
		}
	}
	secret.StringData = nil
	return secret
}

// pair is a certificate and its key in PEM.
type pair struct{ certificate, key []byte }

var pairs = map[string]pair{}

// pairOf returns a self-signed certificate, the same one for the same names. "CN=shop.test" sets
// the common name.
func pairOf(t testing.TB, names string) pair {
	t.Helper()
	if p, ok := pairs[names]; ok {
		return p
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(pairs) + 1)), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	if name, old := strings.CutPrefix(names, "CN="); old {
		template.Subject = pkix.Name{CommonName: name}
	} else {
		template.DNSNames = strings.Split(names, ", ")
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pairs[names] = pair{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
	return pairs[names]
}

// renderCertificates renders the certificate of each name, and whether HTTP is redirected.
func renderCertificates(table *routing.Table, names []string) string {
	var b strings.Builder
	for _, name := range names {
		what := "self-signed"
		if shown := table.Certificate(name); shown != nil {
			for _, c := range table.Certificates() {
				if bytes.Equal(c.TLS.Leaf.Raw, shown.Leaf.Raw) {
					what = c.Secret.String()
					break
				}
			}
		}
		if table.HasCertificate(name) {
			what += ", wants TLS"
		}
		fmt.Fprintf(&b, "%s -> %s\n", name, what)
	}
	return b.String()
}
