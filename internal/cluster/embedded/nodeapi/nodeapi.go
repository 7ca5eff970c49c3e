// Package nodeapi serves the HTTPS API of a node for kubectl logs, exec, attach, and port-forward.
// The API server is its client
// (https://kubernetes.io/docs/reference/node/kubelet-endpoints/). The paths are those of v1.36,
// because they are not stable.
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

// ClientName is the common name in the API server's client certificate
// (--kubelet-client-certificate).
const ClientName = "kube-apiserver-kubelet-client"

const (
	idleTimeout   = 4 * time.Hour    // for streams without traffic: a kubelet's streamingConnectionIdleTimeout
	streamTimeout = 30 * time.Second // for a client to open the streams
	headerTimeout = 30 * time.Second
)

// Node is the node behind the API. *kubelet.Kubelet implements it and documents the methods.
type Node interface {
	Container(namespace, pod, container string) (container.Container, error)
	Log(namespace, pod, container string, previous bool) (path string, ended <-chan struct{}, err error)
	Dial(ctx context.Context, namespace, pod string, port uint16) (net.Conn, error)
}

type api struct {
	node    Node
	serving context.Context // ends with the node, and closes hijacked connections
}

// Serve serves l until ctx ends, then closes l and all connections and returns nil. config must
// require a client certificate from the cluster's CA. Only ClientName has access.
func Serve(ctx context.Context, l net.Listener, config *tls.Config, node Node) error {
	a := &api{node: node, serving: ctx}
	// HTTP/2 does not support hijacking, which exec and port-forward need.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler: onlyAPIServer(a.routes()), TLSConfig: config, Protocols: protocols, ReadHeaderTimeout: headerTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.ServeTLS(l, "", "")
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("node API on %s: %w", l.Addr(), err)
}

func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", a.logs)
	for _, method := range []string{"GET ", "POST "} { // GET for WebSocket, POST for SPDY
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

// onlyAPIServer rejects all clients except the API server. A kubelet authorizes each request; here,
// the API server is the only client.
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

// refuse responds with an error text for kubectl, without a line break.
func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
