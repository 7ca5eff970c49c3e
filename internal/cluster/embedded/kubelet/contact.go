package kubelet

import (
	"bytes"
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

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

const (
	// outputBytes is how much of an answer or of a command's output is looked at.
	outputBytes  = 10 << 10
	maxRedirects = 10
)

// contact is a container as the node's probes and hooks reach it: from the node's network, or with a command in it.
type contact struct {
	node      network.Namespace
	address   netip.Addr // of the pod
	spec      *corev1.Container
	container container.Container
	version   string // that HTTP requests and gRPC calls say, "1.36"
}

func (w *worker) contact(s *slot, c container.Container) contact {
	version := strings.TrimPrefix(w.k.config.Version, "v")
	if major, rest, ok := strings.Cut(version, "."); ok {
		minor, _, _ := strings.Cut(rest, ".")
		version = major + "." + minor
	}
	return contact{w.k.config.Namespace, w.setup.address, s.spec, c, version}
}

// port resolves a port by number, or by its name in the container's manifest.
func (c *contact) port(p intstr.IntOrString) (string, error) {
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

// authority is the host and port of an action; without a host of its own it is the pod.
func (c *contact) authority(host string, p intstr.IntOrString) (string, error) {
	port, err := c.port(p)
	if err != nil {
		return "", err
	}
	if host == "" {
		host = c.address.String()
	}
	return net.JoinHostPort(host, port), nil
}

// get makes the request of an HTTP action and returns its status. The body is read so far as anybody looks at it.
func (c *contact) get(ctx context.Context, a *corev1.HTTPGetAction, agent string, timeout time.Duration) (code int, body string, err error) {
	request, err := c.request(ctx, a, agent+"/"+c.version)
	if err != nil {
		return 0, "", err
	}
	transport := &http.Transport{
		DialContext: c.node.Dial, DisableKeepAlives: true, DisableCompression: true,
		// Probes do not verify: nobody knows by what name a pod calls itself
		// (https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/).
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

// sameHost follows redirects within a host; one that leads elsewhere is the answer itself.
func sameHost(next *http.Request, via []*http.Request) error {
	switch {
	case next.URL.Hostname() != via[0].URL.Hostname():
		return http.ErrUseLastResponse
	case len(via) >= maxRedirects:
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	return nil
}

func (c *contact) request(ctx context.Context, a *corev1.HTTPGetAction, agent string) (*http.Request, error) {
	authority, err := c.authority(a.Host, a.Port)
	if err != nil {
		return nil, err
	}
	where, err := url.Parse(a.Path) // with its query
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
	own := map[string]bool{}
	for _, h := range a.HTTPHeaders {
		name := http.CanonicalHeaderKey(h.Name)
		if name == "Host" {
			request.Host = h.Value
			continue
		}
		if !own[name] {
			request.Header.Del(name) // the manifest's wins
			own[name] = true
		}
		request.Header.Add(name, h.Value)
	}
	return request, nil
}

// exec runs a command in the container.
func (c *contact) exec(ctx context.Context, command []string) (code int, output string, err error) {
	var text limited
	code, err = c.container.Exec(ctx, container.Exec{Command: command, Stdout: &text, Stderr: &text})
	return code, text.String(), err
}

// hook runs a postStart or preStop hook (https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/).
func (c *contact) hook(ctx context.Context, h *corev1.LifecycleHandler) error {
	switch {
	case h.Exec != nil:
		code, output, err := c.exec(ctx, h.Exec.Command)
		if err == nil && code != 0 {
			err = fmt.Errorf("command ended with exit code %d: %s", code, output)
		}
		return err
	case h.HTTPGet != nil:
		code, _, err := c.get(ctx, h.HTTPGet, "kube-lifecycle", 0)
		if err == nil && code >= http.StatusBadRequest {
			err = fmt.Errorf("answered with status %d", code)
		}
		return err
	case h.Sleep != nil:
		pause(ctx, time.Duration(h.Sleep.Seconds)*time.Second)
		return ctx.Err()
	}
	return errors.New("the hook has no action that can be done here")
}

// limited keeps the first bytes that are written to it and lets the others go.
type limited struct{ buffer bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := outputBytes - l.buffer.Len(); room > 0 {
		l.buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (l *limited) String() string { return l.buffer.String() }
