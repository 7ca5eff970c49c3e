package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// kind and all its children must exit before the provider cleans up.
func TestCancelKillsProcessGroup(t *testing.T) {
	t.Setenv(childScript, "hang")
	ctx, cancel := context.WithCancel(t.Context())
	seen := &pids{cancel: cancel}
	err := createInChild(ctx, os.Args[0], request{Name: "lab"}, seen)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if seen.child == 0 || seen.grandchild == 0 {
		t.Fatal("the child printed no PIDs")
	}
	for _, pid := range []int{seen.child, seen.grandchild} {
		if running(t, pid) {
			t.Errorf("process %d still runs", pid)
		}
	}
}

// running reports whether a process runs and is not a zombie.
func running(t *testing.T, pid int) bool {
	t.Helper()
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// pids is a Progress that cancels once it has both PIDs.
type pids struct {
	cancel            context.CancelFunc
	child, grandchild int
}

func (p *pids) Step(text string) func(error) {
	if _, err := fmt.Sscanf(text, "pids %d %d", &p.child, &p.grandchild); err == nil {
		p.cancel()
	}
	return func(error) {}
}

func (p *pids) Note(string) {}

func TestFailedChildReportsReason(t *testing.T) {
	t.Setenv(childScript, "die")
	err := createInChild(t.Context(), os.Args[0], request{Name: "lab"}, &notes{})
	if err == nil || !strings.Contains(err.Error(), "exit status 7: exit reason") {
		t.Errorf("got %v", err)
	}
}

func TestFollowConvertsLogToSteps(t *testing.T) {
	n := &steps{}
	failure := follow(strings.NewReader(strings.Join([]string{
		`{"Log":"Creating cluster \"lab\" ...\n"}`,
		`{"Log":" • Preparing nodes 📦 📦   ...\n"}`,
		`{"Log":" ✓ Preparing nodes 📦 📦 \n"}`,
		`{"Log":" • Starting control-plane 🕹️  ...\n"}`,
		`{"Log":" ✗ Starting control-plane 🕹️\n"}`,
		`{"Error":"failed to init node: command \"docker exec\" failed","Output":"[init] ok\nerror: port 6443 is in use\n\tstack\n\n"}`,
	}, "\n")), n)
	if want := "Preparing nodes: <nil>, Starting control-plane: failed"; strings.Join(n.ended, ", ") != want {
		t.Errorf("steps %q, want %q", n.ended, want)
	}
	if want := "failed to init node: error: port 6443 is in use"; failure.Error() != want {
		t.Errorf("reason %q, want %q", failure.Error(), want)
	}
	if !strings.Contains(failure.log, "[init] ok") || !strings.Contains(failure.log, "Creating cluster") {
		t.Errorf("incomplete log: %q", failure.log)
	}
}

// steps is a Progress that records how steps end.
type steps struct{ ended []string }

func (s *steps) Step(text string) func(error) {
	return func(err error) { s.ended = append(s.ended, fmt.Sprintf("%s: %v", text, err)) }
}

func (s *steps) Note(string) {}

func TestRunChildRejectsInvalidRequest(t *testing.T) {
	var out strings.Builder
	if RunChild(strings.NewReader("not JSON\n"), &out) {
		t.Error("RunChild returned true")
	}
	if !strings.Contains(out.String(), `"Error":"invalid request`) {
		t.Errorf("output %q", out.String())
	}
}
