package kubelet

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

const (
	outputBytes  = 10 << 10 // limit for a response body and for a command's output
	maxRedirects = 10
)

// target runs a container's probes and hooks. It sends HTTP, TCP, and gRPC requests from the node's
// network namespace, and runs commands in the container.
type target struct {
	node      network.Namespace
	address   netip.Addr // the address of the pod
	spec      *corev1.Container
	container container.Container
	version   string // the Kubernetes version for user agents: "1.36"
}

func (w *worker) target(s *slot, c container.Container) target {
	version := strings.TrimPrefix(w.k.config.Version, "v")
	if major, rest, ok := strings.Cut(version, "."); ok {
		minor, _, _ := strings.Cut(rest, ".")
		version = major + "." + minor
	}
	return target{w.k.config.Namespace, w.setup.address, s.spec, c, version}
}

// port resolves a port number, or a port name from the container's manifest.
func (c *target) port(p intstr.IntOrString) (string, error) {
	if p.Type == intstr.Int {
		return strconv.Itoa(p.IntValue()), nil
	}
	for _, named := range c.spec.Ports {
		if named.Name == p.StrVal {
			return strconv.Itoa(int(named.ContainerPort)), nil
		}
	}
	if _, err := strconv.ParseUint(p.StrVal, 10, 16); err == nil {
		return p.StrVal, nil
	}
	return "", fmt.Errorf("container %s has no port %q", c.spec.Name, p.StrVal)
}

// authority returns the host and port of an action. The default host is the pod address.
func (c *target) authority(host string, p intstr.IntOrString) (string, error) {
	port, err := c.port(p)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(cmp.Or(host, c.address.String()), port), nil
}

// get sends the request of an HTTP action. It returns the status and the first 10 KiB of the body.
func (c *target) get(ctx context.Context, a *corev1.HTTPGetAction, agent string, timeout time.Duration) (code int, body string, err error) {
	request, err := c.request(ctx, a, agent+"/"+c.version)
	if err != nil {
		return 0, "", err
	}
	transport := &http.Transport{
		DialContext: c.node.Dial, DisableKeepAlives: true, DisableCompression: true,
		// Kubelets do not verify certificates in probes
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: sameHost}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, outputBytes))
	return response.StatusCode, string(text), err
}

func sameHost(next *http.Request, via []*http.Request) error {
	switch {
	case next.URL.Hostname() != via[0].URL.Hostname():
		return http.ErrUseLastResponse
	case len(via) >= maxRedirects:
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	return nil
}

func (c *target) request(ctx context.Context, a *corev1.HTTPGetAction, agent string) (*http.Request, error) {
	authority, err := c.authority(a.Host, a.Port)
	if err != nil {
		return nil, err
	}
	where, err := url.Parse(a.Path) // the path can include a query
	if err != nil {
		where = &url.URL{Path: a.Path}
	}
	where.Scheme, where.Host = "http", authority
	if a.Scheme == corev1.URISchemeHTTPS {
		where.Scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", agent)
	request.Header.Set("Accept", "*/*")
	for _, h := range a.HTTPHeaders {
		request.Header.Del(h.Name) // the manifest overrides the defaults
	}
	for _, h := range a.HTTPHeaders {
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			request.Host = h.Value
			continue
		}
		request.Header.Add(h.Name, h.Value)
	}
	return request, nil
}

func (c *target) exec(ctx context.Context, command []string) (code int, output string, err error) {
	var text limited
	code, err = c.container.Exec(ctx, container.Exec{Command: command, Stdout: &text, Stderr: &text})
	return code, text.String(), err
}

// hook implements https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/.
func (c *target) hook(ctx context.Context, h *corev1.LifecycleHandler) error {
	switch {
	case h.Exec != nil:
		code, output, err := c.exec(ctx, h.Exec.Command)
		if err == nil && code != 0 {
			err = fmt.Errorf("command exited with code %d: %s", code, output)
		}
		return err
	case h.HTTPGet != nil:
		code, _, err := c.get(ctx, h.HTTPGet, "kube-lifecycle", 0)
		if err == nil && code >= http.StatusBadRequest {
			err = fmt.Errorf("HTTP status %d", code)
		}
		return err
	case h.Sleep != nil:
		pause(ctx, time.Duration(h.Sleep.Seconds)*time.Second)
		return ctx.Err()
	}
	return errors.New("the hook has no supported action; use exec, httpGet, or sleep")
}

// limited keeps the first 10 KiB that are written to it and discards the rest.
type limited struct{ buffer bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := outputBytes - l.buffer.Len(); room > 0 {
		l.buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (l *limited) String() string { return l.buffer.String() }

type outcome struct {
	ok   bool
	note string // why the probe failed, or a warning if ok
	err  error  // why the probe could not run, which counts as a failure
}

// check runs a probe once
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#probe-check-methods).
func (c *target) check(ctx context.Context, p *corev1.Probe) outcome {
	timeout := time.Duration(max(1, p.TimeoutSeconds)) * time.Second
	if p.HTTPGet != nil {
		return c.checkHTTP(ctx, p.HTTPGet, timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch {
	case p.TCPSocket != nil:
		return c.checkTCP(ctx, p.TCPSocket)
	case p.Exec != nil:
		return c.checkExec(ctx, p.Exec.Command, timeout)
	case p.GRPC != nil:
		return c.checkGRPC(ctx, p.GRPC, timeout)
	}
	return outcome{err: errors.New("missing probe handler")}
}

func (c *target) checkHTTP(ctx context.Context, a *corev1.HTTPGetAction, timeout time.Duration) outcome {
	// The client has its own timeout, because its errors name the phase that timed out.
	code, body, err := c.get(ctx, a, "kube-probe", timeout)
	switch {
	case err != nil:
		return outcome{note: err.Error()}
	case code < http.StatusOK || code >= http.StatusBadRequest:
		return outcome{note: fmt.Sprintf("HTTP probe failed with statuscode: %d", code)}
	case code >= http.StatusMultipleChoices:
		return outcome{ok: true, note: "Probe terminated redirects, Response body: " + body}
	}
	return outcome{ok: true}
}

func (c *target) checkTCP(ctx context.Context, a *corev1.TCPSocketAction) outcome {
	authority, err := c.authority(a.Host, a.Port)
	if err != nil {
		return outcome{err: err}
	}
	conn, err := c.node.Dial(ctx, "tcp", authority)
	if err != nil {
		return outcome{note: err.Error()}
	}
	_ = conn.Close()
	return outcome{ok: true}
}

func (c *target) checkExec(ctx context.Context, command []string, timeout time.Duration) outcome {
	code, output, err := c.exec(ctx, command)
	switch {
	case ctx.Err() != nil:
		return outcome{note: fmt.Sprintf("command timed out: %q timed out after %s", strings.Join(command, " "), timeout)}
	case err != nil:
		return outcome{err: err}
	case code != 0:
		return outcome{note: output}
	}
	return outcome{ok: true}
}

// checkGRPC implements https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
func (c *target) checkGRPC(ctx context.Context, a *corev1.GRPCAction, timeout time.Duration) outcome {
	authority := net.JoinHostPort(c.address.String(), strconv.Itoa(int(a.Port)))
	conn, err := grpc.NewClient("passthrough:///"+authority, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent("kube-probe/"+c.version),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return c.node.Dial(ctx, "tcp", address) }))
	if err != nil {
		return outcome{err: err}
	}
	defer func() { _ = conn.Close() }()
	request := &grpc_health_v1.HealthCheckRequest{Service: ptr.Deref(a.Service, "")}
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, request)
	switch status.Code(err) {
	case codes.OK:
	case codes.Unimplemented:
		return outcome{note: "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): " +
			status.Convert(err).Message()}
	case codes.DeadlineExceeded:
		return outcome{note: fmt.Sprintf("timeout: health rpc did not complete within %v", timeout)}
	case codes.Unavailable:
		return outcome{note: fmt.Sprintf("error: failed to connect service at %q: %v", authority, err)}
	default:
		return outcome{note: fmt.Sprintf("error: health rpc probe failed: %v", err)}
	}
	if s := answer.GetStatus(); s != grpc_health_v1.HealthCheckResponse_SERVING {
		return outcome{note: fmt.Sprintf("service unhealthy (responded with %q)", s)}
	}
	return outcome{ok: true}
}
