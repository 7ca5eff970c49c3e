package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

func TestExitCodeAndText(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		text string
	}{
		"nothing":          {nil, ExitOK, ""},
		"reported outcome": {&outcome{ExitFailed}, ExitFailed, ""},
		"usage":            {usagef("--x: no"), ExitUsage, "--x: no"},
		"spec":             {fmt.Errorf("up: %w", &cluster.SpecError{Flag: "--nodes", Why: "no"}), ExitUsage, "up: --nodes: no"},
		"no scenario":      {&scenario.UnknownError{Name: "x", Nearest: "y"}, ExitUsage, `no scenario "x" (did you mean "y"?)`},
		"port in use": {
			&cluster.PortInUseError{Port: 1, Flag: "--http-port"},
			ExitBroken, "port 127.0.0.1:1 is already in use; choose another with --http-port (0 picks a free one)",
		},
		"time-out": {
			&kube.NotReadyError{Missing: []string{"pod a/b: is Pending"}, Cause: context.DeadlineExceeded},
			ExitTimeout, "not ready: pod a/b: is Pending: context deadline exceeded",
		},
		"Ctrl-C": {fmt.Errorf("create: %w", context.Canceled), ExitInterrupted, "interrupted"},
		"Ctrl-C, failed cleanup": {
			errors.Join(fmt.Errorf("create: %w", context.Canceled), errors.New("clean up: disk full")),
			ExitInterrupted, "interrupted; clean up: disk full",
		},
		"full disk": {
			fmt.Errorf("progress: %w", &os.PathError{Op: "write", Path: "/p", Err: syscall.ENOSPC}),
			ExitBroken, "progress: write /p: no space left on device; free some disk space and try again",
		},
		"no namespaces": {
			fmt.Errorf("up: %w", &os.PathError{Op: "fork/exec", Path: "/p", Err: syscall.ENOSPC}),
			ExitBroken, "up: fork/exec /p: no space left on device",
		},
		"several lines": {errors.Join(errors.New("a"), errors.New("b")), ExitBroken, "a; b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := exitCode(c.err); got != c.code {
				t.Errorf("code %d, want %d", got, c.code)
			}
			if got := errorText(c.err); got != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
		})
	}
}

func TestWorseReturnsMoreSevereCode(t *testing.T) {
	if got := worse(worse(ExitOK, ExitFailed), ExitOK); got != ExitFailed {
		t.Errorf("failed among passed is %d", got)
	}
	if got := worse(ExitInterrupted, ExitBroken); got != ExitInterrupted {
		t.Errorf("interrupted and broken is %d", got)
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"/home/a/kubeconfig": "/home/a/kubeconfig", "/home/a b": "'/home/a b'", "it's": `'it'\''s'`, "": "''",
	} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q is quoted %s, want %s", word, got, want)
		}
	}
}
