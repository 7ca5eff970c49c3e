package kind

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// childScript, in the environment, makes the test binary a child that plays
// kind instead of being it.
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
			os.Exit(1) //nolint:forbidigo // here it is the program's main
		}
	case "hang":
		hang()
	case "die":
		fmt.Fprintln(os.Stderr, "out of luck")
		os.Exit(7) //nolint:forbidigo // here it is the program's main
	}
}

// hang starts a process of its own, tells the pids of both, and waits for
// ever, as kind does in the middle of a `docker run`.
func hang() {
	grandchild := exec.Command("sleep", "3600")
	if err := grandchild.Start(); err != nil {
		return // the test misses what is told next
	}
	fmt.Printf(`{"Log":" • pids %s %d  ...\n"}`+"\n", strconv.Itoa(os.Getpid()), grandchild.Process.Pid)
	_ = grandchild.Wait()
}
