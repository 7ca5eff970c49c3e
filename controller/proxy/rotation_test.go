package proxy_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// serverCertificate is the Ingress's spec.tls with a Secret of that certificate.
func serverCertificate(t *testing.T, version string, certificate tls.Certificate) object {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return func(s *routing.Snapshot) {
		s.Ingresses[0].Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: "web-tls"}}
		s.Secrets = append(s.Secrets, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-tls", ResourceVersion: version}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{
				corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
				corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
			},
		})
	}
}

func TestNextHandshakeUsesNewCertificate(t *testing.T) {
	ca := newCA(t, "web")
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Strict-Transport-Security", "max-age=1") })
	address := r.listenTLS()
	for _, version := range []string{"1", "2"} {
		certificate := ca.issue(t, host)
		if problems := r.world(nil, serverCertificate(t, version, certificate)); len(problems) > 0 {
			t.Fatal(problems)
		}
		response, _ := r.secureGet(address, host, host, nil)
		if got := response.TLS.PeerCertificates[0].Raw; string(got) != string(certificate.Certificate[0]) {
			t.Errorf("version %s: wrong certificate", version)
		}
		// Exactly one such field, set by the proxy, on each response of the host (RFC 6797, 7.1).
		if got := response.Header.Values("Strict-Transport-Security"); len(got) != 1 || got[0] != "max-age=31536000; includeSubDomains" {
			t.Errorf("Strict-Transport-Security %q", got)
		}
	}
	if response, _ := r.secureGet(address, "other.test", "other.test", nil); response.Header.Get("Strict-Transport-Security") != "" {
		t.Error("a host without a certificate has HSTS")
	}
}
