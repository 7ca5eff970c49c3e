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

// These are users of the API. Their permissions are in
// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles).
const (
	controllerManagerUser = "system:kube-controller-manager"
	schedulerUser         = "system:kube-scheduler"
	// ProxyUser can list and watch Services and EndpointSlices.
	ProxyUser = "system:kube-proxy"
	// adminGroup has all permissions, regardless of RBAC objects.
	adminGroup = "system:masters"
	adminUser  = "kubernetes-admin"
	// kubeletClientUser is the API server's user at kubelets. Embedded nodes reject all other users.
	kubeletClientUser = "kube-apiserver-kubelet-client"
	// frontProxyUser is the API server's user at extension API servers. Its certificate allows it to
	// impersonate every user, so a separate CA issues it.
	frontProxyUser = "front-proxy-client"
	frontProxyCA   = "front-proxy-ca"
	// NodeGroup is the group of all nodes. The user of a node is NodeUserPrefix plus the node's name.
	NodeGroup      = "system:nodes"
	NodeUserPrefix = "system:node:"
)

// validity is longer than a lab cluster exists, because no process renews the certificates.
const validity = 10 * 365 * 24 * time.Hour

// OpenAuthority opens the certificate authority (CA) in dir. It creates the CA on first use. The CA
// issues the certificates of the API server and its clients
// (https://kubernetes.io/docs/setup/best-practices/certificates/).
func OpenAuthority(dir string) (*pki.Authority, error) { return openCA(dir, "ca") }

func openCA(dir, name string) (*pki.Authority, error) {
	return pki.OpenAuthority(dir, name, "ingresslab embedded cluster "+name, validity)
}

// WriteKubeconfig writes an administrator's kubeconfig with mode 0600. context becomes the name of
// the context, the cluster, and the user. server is the URL of the API server.
func WriteKubeconfig(a *pki.Authority, path, context, server string) error {
	return writeKubeconfig(a, pki.Leaf{User: adminUser, Groups: []string{adminGroup}}, path, context, server)
}

func writeKubeconfig(a *pki.Authority, user pki.Leaf, path, context, server string) error {
	pair, err := a.Issue(user)
	if err != nil {
		return err
	}
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

// protobuf is the content type that needs the least CPU time.
const protobuf = "application/vnd.kubernetes.protobuf"

// restConfig returns a client configuration without rate limits: the API server limits requests.
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

// ensureAccountKeys creates the key pair for service account tokens, unless it exists. Because the
// keys stay, the tokens of pods stay valid after a restart.
func ensureAccountKeys(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, accountPublicKey)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var private, der []byte
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err == nil {
		private, err = pki.EncodeKey(key)
	}
	if err == nil {
		der, err = x509.MarshalPKIXPublicKey(key.Public())
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, accountKey), private, 0o600)
	}
	if err == nil {
		public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		err = os.WriteFile(filepath.Join(dir, accountPublicKey), public, 0o600)
	}
	if err != nil {
		return fmt.Errorf("service account keys: %w", err)
	}
	return nil
}

// Files of the key pair, in the directory of certificates.
const (
	accountKey       = "service-accounts.key"
	accountPublicKey = "service-accounts.pub"
)
