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

func openTestCA(t *testing.T, dir string) *pki.Authority {
	t.Helper()
	a, err := OpenAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCAIsCreatedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	created, opened := openTestCA(t, dir), openTestCA(t, dir)
	pair, err := opened.Issue(pki.Leaf{User: "web", Hosts: []string{"kubernetes"}, Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(created.PEM)
	for _, host := range []string{"kubernetes", "10.96.0.1"} {
		_, err := certificate.Leaf.Verify(x509.VerifyOptions{
			DNSName: host, Roots: trusted, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{DNSName: "other", Roots: trusted}); err == nil {
		t.Error("the certificate is valid for another host")
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

func TestKubeconfigIsForAdministrator(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kubeconfig")
	if err := WriteKubeconfig(openTestCA(t, dir), path, "embedded-x", "https://127.0.0.1:1"); err != nil {
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

func TestDamagedCAIsError(t *testing.T) {
	dir := t.TempDir()
	openTestCA(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(dir); err == nil {
		t.Error("no error for an empty certificate")
	}
}

func TestFrontProxyCAIsNotTrustedByCluster(t *testing.T) {
	dir := t.TempDir()
	cluster := openTestCA(t, dir)
	frontProxy, err := openCA(dir, frontProxyCA)
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
		t.Error("the CA of the cluster trusts a certificate of the front-proxy CA")
	}
}
