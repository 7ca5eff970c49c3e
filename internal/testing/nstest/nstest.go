// Package nstest runs a package's tests as an embedded cluster runs: as process 1 of namespaces of their own, with the
// right to administer them and nothing to break outside. Tests need no root for it where user namespaces are allowed.
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

// inside is set in the environment of the copy that runs in the namespaces.
const inside = "INGRESSLAB_TEST_NAMESPACES"

// unavailable says why there are no namespaces; empty if there are.
var unavailable string

// Main is for TestMain: it starts the test program again inside new namespaces and ends with its exit code. Where the
// machine does not allow that, the tests run outside, and those that call Require are skipped (with CI=true they fail).
func Main(m *testing.M) {
	if os.Getenv(inside) != "" {
		m.Run() // the testing package exits with its result
		return
	}
	code, err := again()
	if err != nil {
		unavailable = err.Error()
		m.Run()
		return
	}
	os.Exit(code) //nolint:forbidigo // this is the program's main: nothing runs after TestMain
}

// Require ends a test that cannot do without namespaces as SkipOrFail does, with the machine's reason.
func Require(t testing.TB) {
	t.Helper()
	if os.Getenv(inside) == "" {
		SkipOrFail(t, "needs namespaces of its own: "+unavailable)
	}
}

// SkipOrFail skips a test for want of something that the machine has not; with CI=true, where a skip would go unnoticed, it fails.
func SkipOrFail(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func again() (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	// The copy ends with the thread that started it (PR_SET_PDEATHSIG in prctl(2)), so this goroutine keeps its own.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(context.Background(), self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	if cmd.SysProcAttr, err = namespaces(); err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start in new namespaces: %w", err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}
