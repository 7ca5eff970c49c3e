package controlplane

import (
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/pki"
)

func authority(t *testing.T, dir string) *pki.Authority {
	t.Helper()
	a, err := OpenAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAuthorityStaysTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	first, again := authority(t, dir), authority(t, dir)
	pair, err := again.Issue(pki.Leaf{User: "web", Hosts: []string{"kubernetes"}, Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(first.PEM)
	for _, host := range []string{"kubernetes", "10.96.0.1"} {
		_, err := certificate.Leaf.Verify(x509.VerifyOptions{
			DNSName: host, Roots: trusted, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{DNSName: "other", Roots: trusted}); err == nil {
		t.Error("the certificate is good for a host it was not issued for")
	}
	keys, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil || len(keys) == 0 {
		t.Fatalf("keys: %v, %v", keys, err)
	}
	for _, key := range keys {
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", key, info.Mode(), err)
		}
	}
}

func TestTheKubeconfigIsTheAdministrators(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kubeconfig")
	if err := WriteKubeconfig(authority(t, dir), path, "embedded-x", "https://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.LoadFromFile(path)
	if err != nil || cfg.CurrentContext != "embedded-x" || cfg.Clusters["embedded-x"].Server != "https://127.0.0.1:1" {
		t.Fatalf("%+v, %v", cfg, err)
	}
	user := cfg.AuthInfos["embedded-x"]
	certificate, err := pki.KeyPair{Certificate: user.ClientCertificateData, Key: user.ClientKeyData}.TLS()
	if err != nil || !slices.Contains(certificate.Leaf.Subject.Organization, "system:masters") {
		t.Errorf("%v, %v; want a certificate of the group system:masters", certificate.Leaf, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestADamagedAuthorityIsSaid(t *testing.T) {
	dir := t.TempDir()
	authority(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(dir); err == nil {
		t.Error("an empty certificate is no authority")
	}
}

func TestAuthoritiesDoNotTrustEachOther(t *testing.T) {
	dir := t.TempDir()
	cluster := authority(t, dir)
	frontProxy, err := openAuthority(dir, frontProxyCA)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := frontProxy.Issue(pki.Leaf{User: adminUser, Groups: []string{adminGroup}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(cluster.PEM)
	client := x509.VerifyOptions{Roots: trusted, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := certificate.Leaf.Verify(client); err == nil {
		t.Error("who may speak for others to aggregated servers is somebody to the cluster's own")
	}
}
