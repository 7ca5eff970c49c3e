package nodeapi_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/nodeapi"
)

// authority is the CA of a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.certificate, a.key = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign signs with the CA's key, or with the new key if the CA has none yet.
func (a *authority) sign(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotAfter = big.NewInt(1), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// client returns a client configuration with a certificate for name, or without one if name is
// empty.
func (a *authority) client(t *testing.T, address, name string) *rest.Config {
	t.Helper()
	config := &rest.Config{Host: "https://" + address}
	config.CAData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	if name == "" {
		return config
	}
	certificate, key := a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config.CertData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	config.KeyData = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return config
}

// serve starts the API of a node during a test and returns the API server's client configuration.
func serve(t *testing.T, node nodeapi.Node) (config *rest.Config, stop context.CancelFunc) {
	t.Helper()
	config, stop, _, _ = start(t, node)
	return config, stop
}

func start(t *testing.T, node nodeapi.Node) (config *rest.Config, stop context.CancelFunc, a *authority, address string) {
	t.Helper()
	a = newAuthority(t)
	certificate, key := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "system:node:node-1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- nodeapi.Serve(ctx, listener, &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.pool(), MinVersion: tls.VersionTLS12,
		}, node)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	address = listener.Addr().String()
	return a.client(t, address, nodeapi.ClientName), cancel, a, address
}

// get returns the status and the body of a response.
func get(t *testing.T, config *rest.Config, path string) (status int, body string) {
	t.Helper()
	response := open(t, config, path)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func open(t *testing.T, config *rest.Config, path string) *http.Response {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// fakeNode has the pod shop/web-0 with the container web.
type fakeNode struct {
	exec   func(ctx context.Context, e container.Exec) (int, error)
	attach func(ctx context.Context, e container.Exec) error
	log    func(previous bool) (string, <-chan struct{}, error)
	dial   func(ctx context.Context, port uint16) (net.Conn, error)
}

func (n *fakeNode) Container(namespace, pod, name string) (container.Container, error) {
	if namespace != "shop" || pod != "web-0" || name != "web" {
		return nil, errors.New("container not found (\"" + name + "\")")
	}
	return fakeContainer{n}, nil
}

func (n *fakeNode) Log(namespace, pod, name string, previous bool) (string, <-chan struct{}, error) {
	if namespace != "shop" || pod != "web-0" || name != "web" {
		return "", nil, errors.New("container \"" + name + "\" in pod \"" + pod + "\" is waiting to start: ContainerCreating")
	}
	return n.log(previous)
}

func (n *fakeNode) Dial(ctx context.Context, _, _ string, port uint16) (net.Conn, error) {
	return n.dial(ctx, port)
}

type fakeContainer struct{ node *fakeNode }

func (fakeContainer) ID() string                  { return "" }
func (fakeContainer) Started() time.Time          { return time.Time{} }
func (fakeContainer) Done() <-chan struct{}       { return nil }
func (fakeContainer) Exit() container.Exit        { return container.Exit{} }
func (fakeContainer) Signal(syscall.Signal) error { return nil }
func (fakeContainer) StopSignal() syscall.Signal  { return syscall.SIGTERM }
func (c fakeContainer) Exec(ctx context.Context, e container.Exec) (int, error) {
	return c.node.exec(ctx, e)
}
func (c fakeContainer) Attach(ctx context.Context, e container.Exec) error {
	return c.node.attach(ctx, e)
}

func TestOnlyAPIServerHasAccess(t *testing.T) {
	config, _, a, address := start(t, &fakeNode{})
	if status, body := get(t, config, "/healthz"); status != http.StatusOK || body != "ok" {
		t.Errorf("API server: got %d %q", status, body)
	}
	status, body := get(t, a.client(t, address, "system:node:node-2"), "/healthz")
	if status != http.StatusForbidden || body != "Forbidden (user=system:node:node-2, verb=GET, resource=nodes)" {
		t.Errorf("other node: got %d %q", status, body)
	}
	client, err := rest.HTTPClientFor(a.client(t, address, ""))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Do(request); err == nil {
		_ = response.Body.Close()
		t.Errorf("without a certificate: got %d", response.StatusCode)
	}
}

func TestNotFoundErrors(t *testing.T) {
	config, _ := serve(t, &fakeNode{})
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/containerLogs/shop/web-1/web":             {400, `container "web" in pod "web-1" is waiting to start: ContainerCreating`},
		"/containerLogs/shop/web-0/web?tailLines=x": {400, `tailLines: "x" is not a non-negative number`},
		"/containerLogs/shop/web-0/web?stream=both": {400, `invalid stream type "both"`},
		"/exec/shop/web-0/db?command=ls&output=1":   {404, `container not found ("db")`},
		"/exec/shop/web-0/web?command=ls":           {400, `you must specify at least 1 of stdin, stdout, stderr`},
		"/exec/shop/web-0/web?output=1":             {400, `you must specify a command`},
		"/metrics":                                  {404, "404 page not found\n"},
	} {
		if status, body := get(t, config, path); status != want.status || body != want.body {
			t.Errorf("%s\n got %d %q\nwant %d %q", path, status, body, want.status, want.body)
		}
	}
}

func TestServeEndsWithContext(t *testing.T) {
	started := make(chan struct{})
	config, stop := serve(t, &fakeNode{exec: func(ctx context.Context, _ container.Exec) (int, error) {
		close(started)
		<-ctx.Done()
		return 0, ctx.Err()
	}})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = run(t.Context(), config, spdyExecutor, "command=sleep", nil) // the error does not matter
	}()
	<-started
	stop()
	<-ended
}

func parse(t *testing.T, config *rest.Config, path string) *url.URL {
	t.Helper()
	u, err := url.Parse(config.Host + path)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
