package nodeapi

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

// forwarder connects the streams of one kubectl port-forward to a pod.
type forwarder struct {
	node      Node
	namespace string
	// client ends when kubectl is gone.
	client context.Context
}

func (a *api) portForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w, r, release := a.watch(w, r)
	defer release()
	f := &forwarder{a.node, r.PathValue("namespace"), r.Context()}
	portforward.ServePortForward(w, r, f, r.PathValue("pod"), r.PathValue("uid"), options, idleTimeout, streamTimeout, portforward.SupportedProtocols)
}

// PortForward implements portforward.PortForwarder: one connection, from its start to its end. An error ends up on kubectl's
// terminal, and kubectl gives up the whole forward for it: only a connection that the pod does not accept is one.
func (f *forwarder) PortForward(_ context.Context, pod, _ string, port int32, stream io.ReadWriteCloser) error {
	if port < 1 || port > 65535 {
		return fmt.Errorf("invalid port %d", port)
	}
	conn, err := f.node.Dial(f.client, f.namespace, pod, uint16(port))
	if err != nil {
		return fmt.Errorf("failed to connect to localhost:%d inside the pod's network namespace: %w", port, err)
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(f.client, func() { _ = conn.Close() })
	defer stop()
	go func() {
		// The end of what the client sends may be the pod's cue to answer.
		_, err := io.Copy(conn, stream)
		half, ok := conn.(interface{ CloseWrite() error })
		if err != nil || !ok {
			_ = conn.Close()
			return
		}
		_ = half.CloseWrite()
	}()
	// What breaks a connection after it was made is between the client and the pod.
	_, _ = io.Copy(stream, conn)
	return nil
}
