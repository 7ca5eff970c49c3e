// Package nodeapi serves the HTTPS API of a node for kubectl logs, exec, attach, and port-forward.
// The API server is its client (https://kubernetes.io/docs/reference/node/kubelet-endpoints/). The
// API is not stable, so the paths are those of Kubernetes v1.36.
package nodeapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// ClientName is the common name in the API server's --kubelet-client-certificate.
const ClientName = "kube-apiserver-kubelet-client"

const (
	idleTimeout   = 4 * time.Hour    // for streams without traffic: a kubelet's streamingConnectionIdleTimeout
	streamTimeout = 30 * time.Second // for a client to open the streams
	headerTimeout = 30 * time.Second
)

// Node is the node that the API serves. *kubelet.Kubelet implements it and documents the methods.
type Node interface {
	Container(namespace, pod, container string) (container.Container, error)
	Log(namespace, pod, container string, previous bool) (path string, ended <-chan struct{}, err error)
	Dial(ctx context.Context, namespace, pod string, port uint16) (net.Conn, error)
}

type api struct {
	node    Node
	serving context.Context // ends with the node; hijacked connections then close
}

// Serve serves l until ctx ends. Then it closes l and all connections and returns nil. config must
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

// onlyAPIServer rejects all clients except the API server. A real kubelet authorizes each request.
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

type command struct{ container container.Container }

func (a *api) exec(w http.ResponseWriter, r *http.Request) {
	a.command(w, r, func(c command, w http.ResponseWriter, r *http.Request, options *remotecommand.Options) {
		words := r.URL.Query()["command"]
		if len(words) == 0 {
			refuse(w, http.StatusBadRequest, "you must specify a command")
			return
		}
		remotecommand.ServeExec(w, r, c, r.PathValue("pod"), r.PathValue("uid"), r.PathValue("container"), words, options,
			idleTimeout, streamTimeout, remotecommand.SupportedStreamingProtocols)
	})
}

func (a *api) attach(w http.ResponseWriter, r *http.Request) {
	a.command(w, r, func(c command, w http.ResponseWriter, r *http.Request, options *remotecommand.Options) {
		remotecommand.ServeAttach(w, r, c, r.PathValue("pod"), r.PathValue("uid"), r.PathValue("container"), options,
			idleTimeout, streamTimeout, remotecommand.SupportedStreamingProtocols)
	})
}

func (a *api) command(w http.ResponseWriter, r *http.Request,
	serve func(command, http.ResponseWriter, *http.Request, *remotecommand.Options)) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	c, err := a.node.Container(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"))
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	w, r, release := a.watch(w, r)
	defer release()
	serve(command{c}, w, r, options)
}

// ExecInContainer implements remotecommand.Executor. It returns an exit code other than 0 as a
// utilexec.CodeExitError, for kubectl's "command terminated with exit code N".
func (c command) ExecInContainer(ctx context.Context, _, _, _ string, words []string, in io.Reader, out, errOut io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	code, err := c.container.Exec(ctx, container.Exec{
		Command: words, Stdin: in, Stdout: out, Stderr: errOut, TTY: tty, Resize: resize,
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return utilexec.CodeExitError{Err: errors.New("exit status " + strconv.Itoa(code)), Code: code}
	}
	return nil
}

func (c command) AttachContainer(ctx context.Context, _, _, _ string, in io.Reader, out, errOut io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return c.container.Attach(ctx, container.Exec{Stdin: in, Stdout: out, Stderr: errOut, TTY: tty, Resize: resize})
}

type forwarder struct {
	node      Node
	namespace string
	client    context.Context // ends when kubectl disconnects
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
	portforward.ServePortForward(w, r, f, r.PathValue("pod"), r.PathValue("uid"), options, idleTimeout, streamTimeout,
		portforward.SupportedProtocols)
}

// PortForward implements portforward.PortForwarder for one connection. After an error, kubectl
// prints it and stops forwarding, so only a failed connection attempt is an error.
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
		// A pod might respond only after the end of the client's data, so forward that end.
		_, err := io.Copy(conn, stream)
		half, ok := conn.(interface{ CloseWrite() error })
		if err != nil || !ok {
			_ = conn.Close()
			return
		}
		_ = half.CloseWrite()
	}()
	// An error after the connection is established concerns only the client and the pod.
	_, _ = io.Copy(stream, conn)
	return nil
}

// takeover cancels the request when the client disconnects. net/http does not detect this for a
// hijacked connection, so a command would continue to run without its kubectl.
type takeover struct {
	http.ResponseWriter
	serving context.Context
	gone    context.CancelFunc
}

// watch wraps the arguments of a handler that hijacks the connection. release ends the detection.
func (a *api) watch(w http.ResponseWriter, r *http.Request) (wrapped http.ResponseWriter, request *http.Request, release func()) {
	ctx, gone := context.WithCancel(r.Context())
	return &takeover{w, a.serving, gone}, r.WithContext(ctx), gone
}

func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("hijack the connection: %w", err)
	}
	watched := &watchedConn{Conn: conn, gone: t.gone}
	watched.forget = context.AfterFunc(t.serving, func() { _ = conn.Close() })
	early, err := buffered.Peek(buffered.Reader.Buffered())
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	reader := bufio.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(early)), watched))
	return watched, bufio.NewReadWriter(reader, buffered.Writer), nil
}

type watchedConn struct {
	net.Conn
	gone   context.CancelFunc
	forget func() bool // cancels closing the connection when the node ends
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.gone()
	}
	return n, err
}

// Close also calls gone, because streaming libraries close the connection when a client leaves.
func (c *watchedConn) Close() error {
	c.gone()
	c.forget()
	return c.Conn.Close()
}
