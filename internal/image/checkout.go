package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// modulePath is the path of the Go module that contains the sources of the images.
const modulePath = "github.com/ingresslab/ingresslab"

// NoCheckoutError means that no checkout of the project was found.
type NoCheckoutError struct {
	Searched []string // the directories that were searched, with their parents
}

func (e *NoCheckoutError) Error() string {
	return fmt.Sprintf("no checkout of %s in %s or a parent directory; change to a checkout and try again",
		modulePath, strings.Join(e.Searched, " or "))
}

// FindCheckout returns the checkout that contains one of the directories, or a *NoCheckoutError.
func FindCheckout(from ...string) (string, error) {
	for _, dir := range from {
		d, err := filepath.Abs(dir)
		for ; err == nil; d = filepath.Dir(d) {
			var found bool
			if found, err = isCheckout(d); found {
				return d, nil
			}
			if d == filepath.Dir(d) {
				break
			}
		}
		if err != nil {
			return "", fmt.Errorf("find the checkout: %w", err)
		}
	}
	return "", &NoCheckoutError{Searched: from}
}

func isCheckout(dir string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
			return strings.Trim(f[1], `"`) == modulePath, nil
		}
	}
	return false, nil
}

// compile builds each program into a file in dir. Go skips files that are up to date.
func compile(ctx context.Context, root, dir string, programs []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	args := []string{
		"build",
		"-trimpath", // the binary contains no path of this machine
		// Use the flags of the Makefile and nodeimage, so that Go compiles shared packages only once.
		"-gcflags=all=-dwarf=false",
		"-buildvcs=false", // a commit without source changes does not change the image
		"-ldflags=-s -w",  // symbols are a third of the size, and no debugger runs in the image
		"-o", dir + string(filepath.Separator),
	}
	for _, p := range programs {
		args = append(args, "./cmd/"+p)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	// Link statically, because the image has no C library. Ignore the user's GOFLAGS and GOWORK.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOFLAGS=", "GOWORK=off")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("compile: go command not found; install the Go release in go.mod")
	}
	return fmt.Errorf("compile %s: %w", strings.Join(programs, ", "), &compileError{strings.TrimSpace(out.String()), err})
}

// compileError contains the compiler's output.
type compileError struct {
	output string
	err    error
}

// Error returns the first line of the output that is not a "# package" heading.
func (e *compileError) Error() string {
	var problems []string
	for line := range strings.Lines(e.output) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			problems = append(problems, line)
		}
	}
	switch len(problems) {
	case 0:
		return e.err.Error()
	case 1:
		return problems[0]
	}
	return fmt.Sprintf("%s (and %d more lines; run `go build ./cmd/...`)", problems[0], len(problems)-1)
}

func (e *compileError) Unwrap() error { return e.err }
