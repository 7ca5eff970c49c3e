package pki_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/pki"
)

func TestIssueLimitsUsage(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewAuthority("test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for name, tt := range map[string]struct {
		leaf           pki.Leaf
		client, server bool
	}{
		"client":            {pki.Leaf{User: "ann"}, true, false},
		"client and server": {pki.Leaf{User: "web", Hosts: []string{"web"}}, true, true},
		"server":            {pki.Leaf{User: "web", Hosts: []string{"web"}, Usages: server}, false, true},
	} {
		pair, err := ca.Issue(tt.leaf)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := pair.TLS()
		if err != nil {
			t.Fatal(err)
		}
		valid := func(usage x509.ExtKeyUsage) bool {
			_, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{usage}})
			return err == nil
		}
		if valid(x509.ExtKeyUsageClientAuth) != tt.client || valid(x509.ExtKeyUsageServerAuth) != tt.server {
			t.Errorf("%s: usages %v", name, certificate.Leaf.ExtKeyUsage)
		}
	}
}

func TestSelfSignedIsTrustedByNoAuthority(t *testing.T) {
	t.Parallel()
	pair, err := pki.SelfSigned(pki.Leaf{User: "web", Hosts: []string{"web"}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: x509.NewCertPool(), DNSName: "web"}); err == nil {
		t.Error("the certificate is valid without an authority")
	}
}
