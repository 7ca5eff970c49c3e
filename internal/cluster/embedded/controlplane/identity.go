package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/ingresslab/ingresslab/internal/pki"
)

// Users of the API, with the names that the authorizers know
// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles).
const (
	controllerManagerUser = "system:kube-controller-manager"
	schedulerUser         = "system:kube-scheduler"
	// ProxyUser may list and watch Services and EndpointSlices.
	ProxyUser = "system:kube-proxy"
	// adminGroup may do everything, whatever the RBAC objects say.
	adminGroup = "system:masters"
	adminUser  = "kubernetes-admin"
	// kubeletClientUser is the API server towards kubelets. The nodes of an embedded cluster let in nobody else.
	kubeletClientUser = "kube-apiserver-kubelet-client"
	// frontProxyUser is the API server towards aggregated ones. Its authority is another than the cluster's: who has one of
	// its certificates may speak for everybody.
	frontProxyUser = "front-proxy-client"
	frontProxyCA   = "front-proxy-ca"
	// NodeGroup is the group of all nodes; the user of one is NodeUserPrefix and its name.
	NodeGroup      = "system:nodes"
	NodeUserPrefix = "system:node:"
)

// validity exceeds the lifetime of a lab cluster, because nothing renews the certificates.
const validity = 10 * 365 * 24 * time.Hour

// OpenAuthority returns the cluster's certificate authority, whose files are in dir. All clients of the API server, and the API server
// itself, have its certificates (https://kubernetes.io/docs/setup/best-practices/certificates/).
func OpenAuthority(dir string) (*pki.Authority, error) { return openAuthority(dir, "ca") }

func openAuthority(dir, name string) (*pki.Authority, error) {
	return pki.OpenAuthority(dir, name, "ingresslab embedded cluster "+name, validity)
}

// WriteKubeconfig writes a kubeconfig of the cluster's administrator, only for the owner to read. context is the name of
// context, cluster and user alike; server is the URL of the API server.
func WriteKubeconfig(a *pki.Authority, path, context, server string) error {
	pair, err := a.Issue(pki.Leaf{User: adminUser, Groups: []string{adminGroup}})
	if err != nil {
		return err
	}
	return writeKubeconfig(a, pair, path, context, server)
}

func writeKubeconfig(a *pki.Authority, pair pki.KeyPair, path, context, server string) error {
	cfg := clientcmdapi.NewConfig()
	cfg.CurrentContext = context
	cfg.Contexts[context] = &clientcmdapi.Context{Cluster: context, AuthInfo: context}
	cfg.Clusters[context] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: a.PEM}
	cfg.AuthInfos[context] = &clientcmdapi.AuthInfo{ClientCertificateData: pair.Certificate, ClientKeyData: pair.Key}
	text, err := clientcmd.Write(*cfg)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return nil
}

// protobuf is the content type that costs the API server and its clients the least.
const protobuf = "application/vnd.kubernetes.protobuf"

// restConfig is a configuration for one user. Rate limits are off: the API server guards itself.
func restConfig(a *pki.Authority, server, user string, groups ...string) (*rest.Config, error) {
	pair, err := a.Issue(pki.Leaf{User: user, Groups: groups})
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:            server,
		TLSClientConfig: rest.TLSClientConfig{CAData: a.PEM, CertData: pair.Certificate, KeyData: pair.Key},
		ContentConfig:   rest.ContentConfig{AcceptContentTypes: protobuf + ",application/json", ContentType: protobuf},
		QPS:             -1,
	}, nil
}

// ensureAccountKeys makes the key pair that signs tokens of service accounts, unless it is there: tokens that pods hold
// stay valid over a new start.
func ensureAccountKeys(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, accountPublicKey)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("key of service accounts: %w", err)
	}
	private, err := pki.EncodeKey(key)
	if err != nil {
		return fmt.Errorf("key of service accounts: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("key of service accounts: %w", err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, accountKey), private, 0o600); err != nil {
		return fmt.Errorf("key of service accounts: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, accountPublicKey), public, 0o600); err != nil {
		return fmt.Errorf("key of service accounts: %w", err)
	}
	return nil
}

// Files of the service accounts' key, below the directory of certificates.
const (
	accountKey       = "service-accounts.key"
	accountPublicKey = "service-accounts.pub"
)
