// Package nodeapi is the HTTPS API of a node, as the API server uses it for kubectl logs, exec, attach and port-forward
// (https://kubernetes.io/docs/reference/node/kubelet-endpoints/ has no promise of stability; the paths are those of v1.36).
package nodeapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// ClientName is the common name in the API server's certificate for nodes (its --kubelet-client-certificate).
const ClientName = "kube-apiserver-kubelet-client"

const (
	// idleTimeout ends an exec, attach or port-forward without traffic: a kubelet's streamingConnectionIdleTimeout.
	idleTimeout = 4 * time.Hour
	// streamTimeout is how long a client may take to open the streams of what it asked for.
	streamTimeout = 30 * time.Second
	// headerTimeout is how long a client may take to say what it wants.
	headerTimeout = 30 * time.Second
)

// Node is the node behind the API; *kubelet.Kubelet is one, and its documentation says what the methods do.
type Node interface {
	Container(namespace, pod, container string) (container.Container, error)
	Log(namespace, pod, container string, previous bool) (path string, ended <-chan struct{}, err error)
	Dial(ctx context.Context, namespace, pod string, port uint16) (net.Conn, error)
}

// api answers for one node.
type api struct {
	node Node
	// serving ends when the node does; connections that were taken over from net/http end with it.
	serving context.Context
}

// Serve answers on l until ctx ends, and then closes l and every connection. config demands a client certificate of the
// cluster's authority: who has the API server's (ClientName) may do everything, others nothing. It returns nil when ctx ends,
// else why it cannot accept any more.
func Serve(ctx context.Context, l net.Listener, config *tls.Config, node Node) error {
	a := &api{node: node, serving: ctx}
	// Exec and port-forward take over the connection, which HTTP/2 has no way for.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           onlyAPIServer(a.routes()),
		TLSConfig:         config,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.ServeTLS(l, "", "")
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("node's API on %s: %w", l.Addr(), err)
}

func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", a.logs)
	for _, method := range []string{"GET ", "POST "} { // a WebSocket starts with GET, SPDY with POST
		for path, handler := range map[string]http.HandlerFunc{
			"/exec/{namespace}/{pod}/{container}":         a.exec,
			"/exec/{namespace}/{pod}/{uid}/{container}":   a.exec,
			"/attach/{namespace}/{pod}/{container}":       a.attach,
			"/attach/{namespace}/{pod}/{uid}/{container}": a.attach,
			"/portForward/{namespace}/{pod}":              a.portForward,
			"/portForward/{namespace}/{pod}/{uid}":        a.portForward,
		} {
			mux.HandleFunc(method+path, handler)
		}
	}
	return mux
}

// onlyAPIServer lets nobody in but the API server. A kubelet asks the API server who may do what; here, it is the only one
// with a reason to come.
func onlyAPIServer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.TLS == nil || len(r.TLS.VerifiedChains) == 0:
			refuse(w, http.StatusUnauthorized, "Unauthorized")
		case r.TLS.VerifiedChains[0][0].Subject.CommonName != ClientName:
			refuse(w, http.StatusForbidden, fmt.Sprintf("Forbidden (user=%s, verb=%s, resource=nodes)",
				r.TLS.VerifiedChains[0][0].Subject.CommonName, r.Method))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// refuse answers with text that ends up in a message of kubectl: without a line's end.
func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
