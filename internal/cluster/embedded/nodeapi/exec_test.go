package nodeapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

type newExecutor func(config *rest.Config, u *url.URL) (remotecommand.Executor, error)

func spdyExecutor(config *rest.Config, u *url.URL) (remotecommand.Executor, error) {
	return remotecommand.NewSPDYExecutor(config, "POST", u)
}

func webSocketExecutor(config *rest.Config, u *url.URL) (remotecommand.Executor, error) {
	return remotecommand.NewWebSocketExecutorForProtocols(config, "GET", u.String(), "v4.channel.k8s.io")
}

// protocols are the streaming protocols of the API server and its clients.
var protocols = map[string]newExecutor{"SPDY": spdyExecutor, "WebSocket": webSocketExecutor}

// run runs a command in shop/web-0 as kubectl exec does; stdin can be nil.
func run(ctx context.Context, config *rest.Config, executor newExecutor, query string, input io.Reader) (out, errOut string, err error) {
	var stdout, stderr bytes.Buffer
	query += "&output=1&error=1"
	if input != nil {
		query += "&input=1"
	}
	u, err := url.Parse(config.Host + "/exec/shop/web-0/web?" + query)
	if err != nil {
		return "", "", err
	}
	e, err := executor(config, u)
	if err != nil {
		return "", "", err
	}
	err = e.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: input, Stdout: &stdout, Stderr: &stderr})
	if ctx.Err() != nil {
		return "", "", err // the executor's goroutines might still be writing
	}
	return stdout.String(), stderr.String(), err
}

func TestExecStreamsAndExitCode(t *testing.T) {
	node := &fakeNode{exec: func(_ context.Context, e container.Exec) (int, error) {
		if e.TTY || e.Resize != nil && e.Stdin == nil {
			return 0, errors.New("no terminal")
		}
		if _, err := io.WriteString(e.Stdout, strings.Join(e.Command, "|")); err != nil {
			return 0, err
		}
		if _, err := io.WriteString(e.Stderr, "oops"); err != nil {
			return 0, err
		}
		switch e.Command[0] {
		case "fail":
			return 42, nil
		case "nope":
			return 0, &container.ExecError{Command: "nope", Err: errors.New("executable file not found in $PATH")}
		}
		return 0, nil
	}}
	config, _ := serve(t, node)
	for name, executor := range protocols {
		t.Run(name, func(t *testing.T) {
			out, errOut, err := run(t.Context(), config, executor, "command=echo&command=a+b&command=c", nil)
			if err != nil || out != "echo|a b|c" || errOut != "oops" {
				t.Errorf("got %q, %q, %v", out, errOut, err)
			}
			_, _, err = run(t.Context(), config, executor, "command=fail", nil)
			var exit utilexec.ExitError
			if !errors.As(err, &exit) || exit.ExitStatus() != 42 {
				t.Errorf("want the exit code of the command, got %v", err)
			}
			_, _, err = run(t.Context(), config, executor, "command=nope", nil)
			if err == nil || !strings.Contains(err.Error(), `exec: "nope": executable file not found in $PATH`) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestExecPassesAllInput(t *testing.T) {
	config, _ := serve(t, &fakeNode{exec: func(_ context.Context, e container.Exec) (int, error) {
		_, err := io.Copy(e.Stdout, e.Stdin)
		return 0, err
	}})
	large := strings.Repeat("0123456789abcdef", 64<<10)
	out, _, err := run(t.Context(), config, spdyExecutor, "command=cat", strings.NewReader(large))
	if err != nil || out != large {
		t.Errorf("got %d of %d bytes: %v", len(out), len(large), err)
	}
}

// terminal reports one window size and closes with the test.
type terminal struct {
	sizes chan remotecommand.TerminalSize
	ctx   context.Context
}

func (s terminal) Next() *remotecommand.TerminalSize {
	select {
	case size := <-s.sizes:
		return &size
	case <-s.ctx.Done():
		return nil
	}
}

func TestTerminalHasSizeAndKeys(t *testing.T) {
	config, _ := serve(t, &fakeNode{exec: func(_ context.Context, e container.Exec) (int, error) {
		if !e.TTY {
			return 0, errors.New("no terminal")
		}
		pressed := make(chan byte, 1)
		go func() {
			key := make([]byte, 1)
			_, _ = io.ReadFull(e.Stdin, key)
			pressed <- key[0]
		}()
		if size := <-e.Resize; size != (container.Size{Width: 120, Height: 40}) {
			return 0, errors.New("wrong size")
		}
		return 128 + int(<-pressed), nil // 3 is Ctrl-C
	}})
	for name, executor := range protocols {
		t.Run(name, func(t *testing.T) {
			e, err := executor(config, parse(t, config, "/exec/shop/web-0/web?command=sh&input=1&output=1&tty=1"))
			if err != nil {
				t.Fatal(err)
			}
			keys, press := io.Pipe()
			go func() { _, _ = press.Write([]byte{3}) }()
			defer func() { _ = press.Close() }()
			sizes := make(chan remotecommand.TerminalSize, 1)
			sizes <- remotecommand.TerminalSize{Width: 120, Height: 40}
			var out bytes.Buffer
			err = e.StreamWithContext(t.Context(), remotecommand.StreamOptions{
				Stdin: keys, Stdout: &out, Tty: true, TerminalSizeQueue: terminal{sizes, t.Context()},
			})
			var exit utilexec.ExitError
			if !errors.As(err, &exit) || exit.ExitStatus() != 131 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// When kubectl is killed, its connection just ends.
func TestCommandEndsWithClient(t *testing.T) {
	started, ended := make(chan struct{}), make(chan struct{})
	config, _ := serve(t, &fakeNode{exec: func(ctx context.Context, _ container.Exec) (int, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return 0, ctx.Err()
	}})
	for name, executor := range protocols {
		t.Run(name, func(t *testing.T) {
			ctx, kill := context.WithCancel(t.Context())
			left := make(chan struct{})
			go func() {
				defer close(left)
				_, _, _ = run(ctx, config, executor, "command=sleep", nil)
			}()
			<-started
			kill()
			<-ended
			<-left
		})
	}
}

func TestAttachStreams(t *testing.T) {
	config, _ := serve(t, &fakeNode{attach: func(_ context.Context, e container.Exec) error {
		_, err := io.Copy(e.Stdout, e.Stdin)
		return err
	}})
	e, err := spdyExecutor(config, parse(t, config, "/attach/shop/web-0/web?input=1&output=1"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = e.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: strings.NewReader("hello"), Stdout: &out})
	if err != nil || out.String() != "hello" {
		t.Errorf("got %q %v", out.String(), err)
	}
}
