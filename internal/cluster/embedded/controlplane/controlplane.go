package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

const (
	// APIPort is the API server's on the hub's own address.
	APIPort = 6443
	// readyPoll is how often a server that starts is asked whether it is ready.
	readyPoll = 20 * time.Millisecond
)

// Config says which control plane to run, and where it keeps its things.
type Config struct {
	Binaries Binaries
	// Dir is the cluster's directory; certificates, etcd's data and logs are below it.
	Dir string
	// Log hears of programs that ended and are started again.
	Log func(format string, arguments ...any)
}

// ControlPlane is one that runs.
type ControlPlane struct {
	config    Config
	authority *Authority
	running   sync.WaitGroup
	failed    chan error
}

// PKIDir is where the certificates of the cluster in dir are.
func PKIDir(dir string) string { return filepath.Join(dir, "pki") }

// LogDir is where the logs of the cluster in dir are.
func LogDir(dir string) string { return filepath.Join(dir, "logs") }

// Start starts the control plane in the network namespace of the calling process and returns when the API server has
// what nodes need; the rest comes with AwaitReady. The programs run until ctx ends. If one of them ends before
// that, or ctx does, Start returns an error that says why: a *DamagedError if it is the data.
func Start(ctx context.Context, c Config) (*ControlPlane, error) {
	authority, err := OpenAuthority(PKIDir(c.Dir))
	if err != nil {
		return nil, err
	}
	p := &ControlPlane{config: c, authority: authority, failed: make(chan error, 1)}
	if err := p.writeFiles(); err != nil {
		return nil, err
	}
	p.launch(ctx, p.etcd())
	p.launch(ctx, p.apiServer())
	if err := p.await(ctx, lastNamespace); err != nil {
		return nil, err
	}
	return p, nil
}

// AwaitReady waits until the API server is ready, and then starts the programs that are its clients. It is called once.
// The wait ends with waiting; the programs run until living ends. Its errors are those of Start.
//
// Between its first answer and its readiness the API server lets a whole second pass: only then does it make the roles and
// the priority classes that every cluster has. Its clients come last, for a controller manager that finds it not yet ready
// asks again after another second.
func (p *ControlPlane) AwaitReady(waiting, living context.Context) error {
	if err := p.await(waiting, readiness); err != nil {
		return err
	}
	p.launch(living, p.controllerManager())
	p.launch(living, p.scheduler())
	return nil
}

// Failed tells why a program that never worked ended; the control plane is of no use then.
func (p *ControlPlane) Failed() <-chan error { return p.failed }

// Wait returns when every program has ended, after the end of Start's ctx.
func (p *ControlPlane) Wait() { p.running.Wait() }

// Admin is a configuration that may do everything.
func (p *ControlPlane) Admin() (*rest.Config, error) {
	return restConfig(p.authority, localServer, adminUser, adminGroup)
}

// Client is a configuration for a user of the API.
func (p *ControlPlane) Client(user string, groups ...string) (*rest.Config, error) {
	return restConfig(p.authority, localServer, user, groups...)
}

// NodeTLS is what the API of a node serves with: its certificate, and the demand for one of the API server's.
func (p *ControlPlane) NodeTLS(name string, address netip.Addr) (*tls.Config, error) {
	pair, err := p.authority.Issue(Leaf{
		User: NodeUserPrefix + name, Groups: []string{NodeGroup}, Hosts: []string{name}, Addresses: []netip.Addr{address},
	})
	if err != nil {
		return nil, err
	}
	certificate, err := pair.TLS()
	if err != nil {
		return nil, fmt.Errorf("certificate of node %s: %w", name, err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(p.authority.certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
		ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			if user := state.PeerCertificates[0].Subject.CommonName; user != kubeletClientUser {
				return fmt.Errorf("user %s may not use the API of a node", user)
			}
			return nil
		},
	}, nil
}

// localServer is the API server as processes in the hub reach it.
var localServer = "https://" + net.JoinHostPort(network.Hub.String(), strconv.Itoa(APIPort))

// writeFiles writes what the programs read: certificates and kubeconfigs.
func (p *ControlPlane) writeFiles() error {
	dir := PKIDir(p.config.Dir)
	if err := os.MkdirAll(LogDir(p.config.Dir), 0o700); err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	if err := ensureAccountKeys(dir); err != nil {
		return err
	}
	leaves := map[string]Leaf{
		"apiserver": {
			User:      "kube-apiserver",
			Hosts:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), network.Hub, apiService},
		},
		"apiserver-kubelet-client": {User: kubeletClientUser, Groups: []string{adminGroup}},
	}
	for name, leaf := range leaves {
		pair, err := p.authority.Issue(leaf)
		if err == nil {
			err = pair.write(dir, name)
		}
		if err != nil {
			return fmt.Errorf("certificate %s: %w", name, err)
		}
	}
	if err := p.writeFrontProxy(); err != nil {
		return err
	}
	for name, user := range map[string]string{"controller-manager": controllerManagerUser, "scheduler": schedulerUser} {
		pair, err := p.authority.Issue(Leaf{User: user})
		if err != nil {
			return err
		}
		if err := writeKubeconfig(p.authority, pair, p.kubeconfig(name), name, localServer); err != nil {
			return err
		}
	}
	return nil
}

// writeFrontProxy writes what the API server shows to aggregated ones.
func (p *ControlPlane) writeFrontProxy() error {
	dir := PKIDir(p.config.Dir)
	authority, err := openAuthority(dir, frontProxyAuthority)
	if err != nil {
		return err
	}
	pair, err := authority.Issue(Leaf{User: frontProxyUser})
	if err == nil {
		err = pair.write(dir, frontProxyUser)
	}
	if err != nil {
		return fmt.Errorf("certificate %s: %w", frontProxyUser, err)
	}
	return nil
}

func (p *ControlPlane) pki(name string) string { return filepath.Join(PKIDir(p.config.Dir), name) }

func (p *ControlPlane) kubeconfig(name string) string { return p.pki(name + ".kubeconfig") }

// Paths whose answer is waited for.
const (
	// lastNamespace is the last that the API server makes of the namespaces that every cluster has. Events of nodes are in it,
	// and those from before it is there are lost.
	lastNamespace = "/api/v1/namespaces/default"
	// readiness is of the API server as a whole (https://kubernetes.io/docs/reference/using-api/health-checks/).
	readiness = "/readyz"
)

// await waits until the API server has a good answer for a path.
func (p *ControlPlane) await(ctx context.Context, path string) error {
	config, err := p.Admin()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	for {
		if err = client.Discovery().RESTClient().Get().AbsPath(path).Do(ctx).Error(); err == nil {
			return nil
		}
		select {
		case why := <-p.failed:
			return why
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), fmt.Errorf("the API server is not ready: %w", err))
		case <-time.After(readyPoll):
		}
	}
}
