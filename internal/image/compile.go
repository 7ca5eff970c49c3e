package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// compile builds programs for the nodes into dir, one file each. Go leaves a
// file alone that is up to date, so dir should stay.
func compile(ctx context.Context, root, dir string, programs []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	args := []string{
		"build",
		"-trimpath", // no path of this machine in the binary
		// As in the Makefile and package nodeimage: what these programs have in common is compiled once.
		"-gcflags=all=-dwarf=false",
		"-buildvcs=false", // a commit that changes no source changes no image
		"-ldflags=-s -w",  // symbols are a third of the size, and nobody runs a debugger in there
		"-o", dir + string(filepath.Separator),
	}
	for _, p := range programs {
		args = append(args, "./cmd/"+p)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	// Static, because the image has no C library. GOFLAGS of the user may
	// change the binary; GOWORK may change the dependencies.
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
		return errors.New("compile: there is no go command; install the Go release that go.mod names")
	}
	return fmt.Errorf("compile %s: %w", strings.Join(programs, ", "), &compileError{strings.TrimSpace(out.String()), err})
}

// compileError keeps what the compiler said.
type compileError struct {
	output string
	err    error
}

// Error puts the first complaint on the line; the compiler's "# package"
// headings are left out, for the file name says as much.
func (e *compileError) Error() string {
	var complaints []string
	for line := range strings.Lines(e.output) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			complaints = append(complaints, line)
		}
	}
	switch len(complaints) {
	case 0:
		return e.err.Error()
	case 1:
		return complaints[0]
	}
	return fmt.Sprintf("%s (and %d more lines; run `go build ./cmd/...`)", complaints[0], len(complaints)-1)
}

func (e *compileError) Unwrap() error { return e.err }
