package nodeapi

import (
	"bufio"
	"bytes"
	"context"
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

// PortForward implements portforward.PortForwarder for one connection. kubectl prints an error and
// ends the whole forward, so only a refused connection is an error.
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
		// The end of the client's data can be the signal for the pod to respond.
		_, err := io.Copy(conn, stream)
		half, ok := conn.(interface{ CloseWrite() error })
		if err != nil || !ok {
			_ = conn.Close()
			return
		}
		_ = half.CloseWrite()
	}()
	// An error after the connection was made concerns only the client and the pod.
	_, _ = io.Copy(stream, conn)
	return nil
}

// takeover cancels the request when the client disconnects. net/http does not detect that for a
// hijacked connection, and a command would outlive its kubectl.
type takeover struct {
	http.ResponseWriter
	serving context.Context
	gone    context.CancelFunc
}

// watch wraps the arguments of a handler that hijacks the connection. release ends the watch.
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
	forget func() bool // cancels the close at the node's end
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
