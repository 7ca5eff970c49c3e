// Package nodeapi is the HTTPS API of a node, as the API server uses it for kubectl logs, exec, attach and port-forward
// (https://kubernetes.io/docs/reference/node/kubelet-endpoints/ has no promise of stability; the paths are those of v1.36).
package nodeapi

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// Node is the node behind the API; *kubelet.Kubelet is one, and its documentation says what the methods do.
type Node interface {
	Container(namespace, pod, container string) (container.Container, error)
	Log(namespace, pod, container string, previous bool) (path string, ended <-chan struct{}, err error)
	Dial(ctx context.Context, namespace, pod string, port uint16) (net.Conn, error)
}

// Serve answers on l until ctx ends. config demands a client certificate of the cluster's authority: who has the API
// server's may do everything, others nothing.
func Serve(_ context.Context, _ net.Listener, _ *tls.Config, _ Node) error {
	return errors.New("not built yet")
}
