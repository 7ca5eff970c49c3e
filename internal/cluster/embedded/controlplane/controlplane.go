// Package controlplane runs etcd, kube-apiserver, kube-controller-manager and kube-scheduler as
// child processes, and restarts them. It creates their certificates and kubeconfigs, and waits
// until they are ready.
//
// Read controlplane.go first. components.go has the arguments and their reasons, and
// runs the processes. identity.go creates the certificates.
package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/pki"
)

const (
	// APIPort is the port of the API server on the hub's address.
	APIPort   = 6443
	readyPoll = 20 * time.Millisecond // the interval of readiness checks
)

// Binaries locates the executables of a control plane.
type Binaries struct {
	// Dir contains etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
	Dir     string
	Version string // Version is the Kubernetes version: "v1.36.3"
}

// Config configures Start.
type Config struct {
	Binaries Binaries
	// Dir is the cluster's directory. It contains the certificates, the data of etcd and the logs.
	Dir string
	// Log receives a message when a component exits.
	Log func(format string, arguments ...any)
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	config Config
	ca     *pki.Authority
	failed chan error
}

// PKIDir returns the directory of the certificates of the cluster in dir.
func PKIDir(dir string) string { return filepath.Join(dir, "pki") }

// LogDir returns the directory of the logs of the cluster in dir.
func LogDir(dir string) string { return filepath.Join(dir, "logs") }

// Start starts etcd and the API server in the network namespace of the process. It returns when
// nodes can register. Then call AwaitReady. The components run until ctx ends. Start returns an
// error if a component exits or ctx ends. If damaged data is the reason, it is a *DamagedError.
func Start(ctx context.Context, c Config) (*ControlPlane, error) {
	ca, err := OpenAuthority(PKIDir(c.Dir))
	if err != nil {
		return nil, err
	}
	p := &ControlPlane{config: c, ca: ca, failed: make(chan error, 1)}
	if err := p.writeFiles(); err != nil {
		return nil, err
	}
	go p.supervise(ctx, p.etcd())
	go p.supervise(ctx, p.apiServer())
	if err := p.await(ctx, lastNamespace); err != nil {
		return nil, err
	}
	return p, nil
}

// AwaitReady waits until the API server is ready, and then starts its clients. Call it once. The
// wait ends with waiting. The components run until living ends. Its errors are those of Start.
//
// The API server becomes ready a second after its first response, when it has created the default
// roles and priority classes. Its clients start last, because a controller manager that starts
// earlier waits for another second.
func (p *ControlPlane) AwaitReady(waiting, living context.Context) error {
	if err := p.await(waiting, readiness); err != nil {
		return err
	}
	go p.supervise(living, p.controllerManager())
	go p.supervise(living, p.scheduler())
	return nil
}

// Failed receives an error if the first run of a component fails. Then the cluster is unusable.
func (p *ControlPlane) Failed() <-chan error { return p.failed }

// Admin returns a client with all permissions.
func (p *ControlPlane) Admin() (kubernetes.Interface, error) { return p.Client(adminUser, adminGroup) }

// Client returns a client with the permissions of a user. It has no rate limit of its own.
func (p *ControlPlane) Client(user string, groups ...string) (kubernetes.Interface, error) {
	config, err := restConfig(p.ca, localServer, user, groups...)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// NodeTLS returns the TLS configuration of a kubelet API, which only the API server can use.
func (p *ControlPlane) NodeTLS(name string, address netip.Addr) (*tls.Config, error) {
	pair, err := p.ca.Issue(pki.Leaf{
		User: NodeUserPrefix + name, Groups: []string{NodeGroup}, Hosts: []string{name}, Addresses: []netip.Addr{address},
	})
	if err != nil {
		return nil, err
	}
	certificate, err := pair.TLS()
	if err != nil {
		return nil, fmt.Errorf("certificate of node %s: %w", name, err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
		ClientCAs: p.ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			if user := state.PeerCertificates[0].Subject.CommonName; user != kubeletClientUser {
				return fmt.Errorf("user %s cannot use the kubelet API", user)
			}
			return nil
		},
	}, nil
}

// localServer is the API server's URL for processes in the hub.
var localServer = "https://" + net.JoinHostPort(network.Hub.String(), strconv.Itoa(APIPort))

// writeFiles writes the components' certificates and kubeconfigs.
func (p *ControlPlane) writeFiles() error {
	dir := PKIDir(p.config.Dir)
	if err := os.MkdirAll(LogDir(p.config.Dir), 0o700); err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	if err := ensureAccountKeys(dir); err != nil {
		return err
	}
	frontProxy, err := openCA(dir, frontProxyCA)
	if err != nil {
		return err
	}
	for name, c := range map[string]struct {
		ca   *pki.Authority
		leaf pki.Leaf
	}{
		"apiserver": {p.ca, pki.Leaf{
			User:      "kube-apiserver",
			Hosts:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), network.Hub, kubernetesService},
		}},
		"apiserver-kubelet-client": {p.ca, pki.Leaf{User: kubeletClientUser, Groups: []string{adminGroup}}},
		frontProxyUser:             {frontProxy, pki.Leaf{User: frontProxyUser}},
	} {
		pair, err := c.ca.Issue(c.leaf)
		if err == nil {
			err = pair.Write(dir, name)
		}
		if err != nil {
			return fmt.Errorf("certificate %s: %w", name, err)
		}
	}
	for name, user := range map[string]string{"controller-manager": controllerManagerUser, "scheduler": schedulerUser} {
		if err := writeKubeconfig(p.ca, pki.Leaf{User: user}, p.kubeconfig(name), name, localServer); err != nil {
			return err
		}
	}
	return nil
}

func (p *ControlPlane) pki(name string) string { return filepath.Join(PKIDir(p.config.Dir), name) }

func (p *ControlPlane) kubeconfig(name string) string { return p.pki(name + ".kubeconfig") }

// These are paths for await.
const (
	// lastNamespace is the last of the default namespaces that the API server creates. It contains
	// the Events of nodes. Events from before its creation are lost.
	lastNamespace = "/api/v1/namespaces/default"
	// readiness is the API server's readiness endpoint
	// (https://kubernetes.io/docs/reference/using-api/health-checks/).
	readiness = "/readyz"
)

// await waits until a GET request for a path succeeds.
func (p *ControlPlane) await(ctx context.Context, path string) error {
	client, err := p.Admin()
	if err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	for {
		if err = client.Discovery().RESTClient().Get().AbsPath(path).Do(ctx).Error(); err == nil {
			return nil
		}
		select {
		case err := <-p.failed:
			return err
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), fmt.Errorf("the API server is not ready: %w", err))
		case <-time.After(readyPoll):
		}
	}
}
