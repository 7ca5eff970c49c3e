package controller_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// secret returns a Secret in the namespace shop.
func secret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: map[string][]byte{}}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

// tlsSecret returns a Secret with a new self-signed certificate.
func tlsSecret(t testing.TB, name string, hosts ...string) *corev1.Secret {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, DNSNames: hosts, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret(name, map[string]string{
		corev1.TLSCertKey:       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		corev1.TLSPrivateKeyKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
	})
}

// serialOf returns the serial number of the certificate in a Secret.
func serialOf(t testing.TB, s *corev1.Secret) string {
	t.Helper()
	pair, err := tls.X509KeyPair(s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.SerialNumber.String()
}

// put creates or replaces a Secret or ConfigMap.
func (l *lab) put(object metav1.Object) {
	l.t.Helper()
	var err error
	switch o := object.(type) {
	case *corev1.Secret:
		api := l.client.CoreV1().Secrets(o.Namespace)
		if _, err = api.Create(l.t.Context(), o, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
			_, err = api.Update(l.t.Context(), o, metav1.UpdateOptions{})
		}
	case *corev1.ConfigMap:
		api := l.client.CoreV1().ConfigMaps(o.Namespace)
		if _, err = api.Create(l.t.Context(), o, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
			_, err = api.Update(l.t.Context(), o, metav1.UpdateOptions{})
		}
	default:
		l.t.Fatalf("cannot put a %T", object)
	}
	l.Expect(err).NotTo(gomega.HaveOccurred())
}

// watching waits for a number of watches of a resource, because the fake API server loses earlier
// events.
func (l *lab) watching(resource string, number int) {
	l.t.Helper()
	l.Eventually(func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.watches[resource]
	}).Should(gomega.BeNumerically(">=", number))
}
