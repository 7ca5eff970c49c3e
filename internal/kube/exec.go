package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	clientexec "k8s.io/client-go/util/exec"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"
)

// maxOutput is how many bytes of a command's output are kept, of each of its streams.
const maxOutput = 4 << 20

// Command is a program to run in a container.
type Command struct {
	Namespace, Pod string
	// Container may be empty if the pod has one only.
	Container string
	// Args are the program and its arguments. No shell is in between.
	Args []string
}

// Output is what came of a Command.
type Output struct {
	ExitCode int
	// Stdout and Stderr are the first 4 MiB of each.
	Stdout, Stderr []byte
}

// Exec runs a command in a container and waits for its end, as kubectl exec does: over a WebSocket, and over SPDY where the
// API server or a proxy on the way knows none (https://kubernetes.io/blog/2024/08/20/websockets-transition/). An exit code
// other than 0 is no error.
func (c *Client) Exec(ctx context.Context, command Command) (Output, error) {
	if c.config == nil {
		return Output{}, errors.New("exec: the client was made without a configuration")
	}
	request := c.clientset.CoreV1().RESTClient().Post().Namespace(command.Namespace).Resource("pods").Name(command.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: command.Container, Command: command.Args, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	webSocket, err := remotecommand.NewWebSocketExecutor(c.config, "GET", request.URL().String())
	if err != nil {
		return Output{}, fmt.Errorf("exec in pod %s/%s: %w", command.Namespace, command.Pod, err)
	}
	spdy, err := remotecommand.NewSPDYExecutor(c.config, "POST", request.URL())
	if err != nil {
		return Output{}, fmt.Errorf("exec in pod %s/%s: %w", command.Namespace, command.Pod, err)
	}
	executor, err := remotecommand.NewFallbackExecutor(webSocket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return Output{}, fmt.Errorf("exec in pod %s/%s: %w", command.Namespace, command.Pod, err)
	}
	var stdout, stderr bytes.Buffer
	// A connection that ends while it is pinged is an error in client-go's log, which is nobody's news here.
	ctx = klog.NewContext(ctx, klog.Logger{})
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: capped(&stdout), Stderr: capped(&stderr)})
	output := Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	var exit clientexec.CodeExitError
	switch {
	case errors.As(err, &exit):
		output.ExitCode = exit.Code
	case err != nil:
		return output, fmt.Errorf("exec in pod %s/%s: %w", command.Namespace, command.Pod, err)
	}
	return output, nil
}

// capped writes the first maxOutput bytes into a buffer, and drops the rest: a program must not be blocked by who listens.
func capped(into *bytes.Buffer) io.Writer { return &capWriter{into} }

type capWriter struct{ into *bytes.Buffer }

func (w *capWriter) Write(p []byte) (int, error) {
	if room := maxOutput - w.into.Len(); room > 0 {
		w.into.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
