package nodeapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// command is one exec or attach.
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

// command finds the container and hands over to serve with a request that ends when the client is gone.
func (a *api) command(w http.ResponseWriter, r *http.Request, serve func(command, http.ResponseWriter, *http.Request, *remotecommand.Options)) {
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

// ExecInContainer implements remotecommand.Executor. An exit code other than 0 is an utilexec.CodeExitError, which becomes
// kubectl's "command terminated with exit code N".
func (c command) ExecInContainer(ctx context.Context, _, _, _ string, words []string, in io.Reader, out, errOut io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	code, err := c.container.Exec(ctx, container.Exec{
		Command: words, Stdin: in, Stdout: out, Stderr: errOut, TTY: tty, Resize: sizes(ctx, resize),
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return utilexec.CodeExitError{Err: errors.New("exit status " + strconv.Itoa(code)), Code: code}
	}
	return nil
}

// AttachContainer implements remotecommand.Attacher.
func (c command) AttachContainer(ctx context.Context, _, _, _ string, in io.Reader, out, errOut io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return c.container.Attach(ctx, container.Exec{Stdin: in, Stdout: out, Stderr: errOut, TTY: tty, Resize: sizes(ctx, resize)})
}

// sizes hands on the sizes of the client's terminal until ctx ends. Without a terminal there are none.
func sizes(ctx context.Context, from <-chan remotecommand.TerminalSize) <-chan container.Size {
	if from == nil {
		return nil
	}
	to := make(chan container.Size)
	go func() {
		defer close(to)
		for {
			var size remotecommand.TerminalSize
			var ok bool
			select {
			case size, ok = <-from:
			case <-ctx.Done():
			}
			if !ok {
				return
			}
			select {
			case to <- container.Size(size):
			case <-ctx.Done():
				return
			}
		}
	}()
	return to
}
