package kube

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	clientexec "k8s.io/client-go/util/exec"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"
)

// maxOutput limits the captured bytes of each output stream.
const maxOutput = 4 << 20

// Command is a command to run in a container.
type Command struct {
	Namespace, Pod string
	Container      string   // can be empty if the pod has only one
	Args           []string // the program and its arguments, without a shell
}

// Output is the result of a Command.
type Output struct {
	ExitCode       int
	Stdout, Stderr []byte // the first 4 MiB of each
}

// Exec runs a command in a container and waits until it ends. Like kubectl exec, it uses a WebSocket, and falls back to SPDY if the API
// server or a proxy does not support it (https://kubernetes.io/blog/2024/08/20/websockets-transition/). An exit code
// other than 0 is no error.
func (c *Client) Exec(ctx context.Context, command Command) (Output, error) {
	if c.config == nil {
		return Output{}, errors.New("exec: the client was made without a configuration")
	}
	request := c.clientset.CoreV1().RESTClient().Post().Namespace(command.Namespace).Resource("pods").Name(command.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: command.Container, Command: command.Args, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	webSocket, webSocketErr := remotecommand.NewWebSocketExecutor(c.config, "GET", request.URL().String())
	spdy, spdyErr := remotecommand.NewSPDYExecutor(c.config, "POST", request.URL())
	executor, err := remotecommand.NewFallbackExecutor(webSocket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err := cmp.Or(webSocketErr, spdyErr, err); err != nil {
		return Output{}, fmt.Errorf("exec in pod %s/%s: %w", command.Namespace, command.Pod, err)
	}
	var stdout, stderr bytes.Buffer
	// Drop client-go's log: it reports an error if the connection ends during a ping, which is normal when a command ends.
	ctx = klog.NewContext(ctx, klog.Logger{})
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: capWriter{&stdout}, Stderr: capWriter{&stderr}})
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

// capWriter stores the first maxOutput bytes and drops the rest, so that the program does not block.
type capWriter struct{ into *bytes.Buffer }

func (w capWriter) Write(p []byte) (int, error) {
	if room := maxOutput - w.into.Len(); room > 0 {
		w.into.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
