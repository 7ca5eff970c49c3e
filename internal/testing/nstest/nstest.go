// Package nstest runs the tests of a package like an embedded cluster: as PID 1 in namespaces of
// their own, which they can administer. Where user namespaces are allowed, this needs no root.
package nstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// inside is an environment variable that is set in the child process, which runs in the namespaces.
const inside = "INGRESSLAB_TEST_NAMESPACES"

// unavailable is the reason why the tests do not run in namespaces. It is empty if they do.
var unavailable string

// Main is for TestMain. It runs the test binary again in new namespaces, and exits with the
// binary's exit code. If the namespaces are not available, the tests run without them, and Require
// skips or (with CI=true) fails the tests that call it.
func Main(m *testing.M) {
	if os.Getenv(inside) != "" {
		m.Run() // the testing package exits with the result
		return
	}
	code, err := rerun()
	if err != nil {
		unavailable = err.Error()
		m.Run()
		return
	}
	os.Exit(code) //nolint:forbidigo // this is the test binary's main function
}

// Require calls SkipOrFail if the test does not run in namespaces.
func Require(t testing.TB) {
	t.Helper()
	if os.Getenv(inside) == "" {
		SkipOrFail(t, "needs namespaces: "+unavailable)
	}
}

// SkipOrFail skips a test whose requirement is missing. With CI=true it fails the test, because a
// skip is easy to overlook.
func SkipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func rerun() (code int, err error) {
	if isolate == nil {
		return 0, errors.New(runtime.GOOS + " has no namespaces")
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	// The child ends with the thread that started it (PR_SET_PDEATHSIG in prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(context.Background(), self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	isolate(cmd)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start in new namespaces: %w", err)
	}
	err = cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}
