package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
)

// outcome is that of one probe.
type outcome struct {
	ok bool
	// note is why not, or if ok, what is odd.
	note string
	// err is why the probe could not be made at all; that counts as a failure.
	err error
}

// check makes one probe (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#probe-check-methods).
func (c *contact) check(ctx context.Context, p *corev1.Probe) outcome {
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

func (c *contact) checkHTTP(ctx context.Context, a *corev1.HTTPGetAction, timeout time.Duration) outcome {
	// The client has a time-out of its own: its errors say what was being waited for.
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

func (c *contact) checkTCP(ctx context.Context, a *corev1.TCPSocketAction) outcome {
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

func (c *contact) checkExec(ctx context.Context, command []string, timeout time.Duration) outcome {
	code, output, err := c.exec(ctx, command)
	switch {
	case ctx.Err() != nil:
		return outcome{note: fmt.Sprintf("command timed out: %q timed out after %s", strings.Join(command, " "), timeout)}
	case err != nil:
		return outcome{err: err}
	}
	return outcome{ok: code == 0, note: noteUnless(code == 0, output)}
}

func noteUnless(ok bool, note string) string {
	if ok {
		return ""
	}
	return note
}

// checkGRPC asks the health service (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
func (c *contact) checkGRPC(ctx context.Context, a *corev1.GRPCAction, timeout time.Duration) outcome {
	authority := net.JoinHostPort(c.address.String(), strconv.Itoa(int(a.Port)))
	conn, err := grpc.NewClient("passthrough:///"+authority, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent("kube-probe/"+c.version),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return c.node.Dial(ctx, "tcp", address) }))
	if err != nil {
		return outcome{err: err}
	}
	defer func() { _ = conn.Close() }()
	request := &grpc_health_v1.HealthCheckRequest{}
	if a.Service != nil {
		request.Service = *a.Service
	}
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, request)
	switch status.Code(err) {
	case codes.OK:
	case codes.Unimplemented:
		return outcome{note: "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): " + status.Convert(err).Message()}
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
