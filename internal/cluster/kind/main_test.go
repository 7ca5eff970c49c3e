package kind

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// childScript is an environment variable that makes the child imitate kind.
const childScript = "INGRESSLAB_TEST_CHILD"

// TestMain lets the test binary be the child that the provider starts.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != ChildCommand {
		m.Run() // its result is this program's exit code
		return
	}
	switch os.Getenv(childScript) {
	case "":
		if !RunChild(os.Stdin, os.Stdout) {
			os.Exit(1) //nolint:forbidigo // this function replaces main
		}
	case "hang":
		hang()
	case "die":
		fmt.Fprintln(os.Stderr, "exit reason")
		os.Exit(7) //nolint:forbidigo // this function replaces main
	}
}

// hang starts a process, prints both PIDs, and waits forever, like kind during a `docker run`.
func hang() {
	grandchild := exec.Command("sleep", "3600")
	if err := grandchild.Start(); err != nil {
		return // the test fails without the PIDs
	}
	fmt.Printf(`{"Log":" • pids %s %d  ...\n"}`+"\n", strconv.Itoa(os.Getpid()), grandchild.Process.Pid)
	_ = grandchild.Wait()
}
