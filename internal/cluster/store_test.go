package cluster_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// overlayfs creates an unreadable directory for every container. Without root, `down` failed with
// "permission denied".
func TestForgetRemovesUnreadableDirectories(t *testing.T) {
	if os.Geteuid() == 0 { // root can read every directory
		rerunUnprivileged(t)
		return
	}
	s := cluster.Store[struct{}]{Dir: t.TempDir()}
	work := filepath.Join(s.ClusterDir("lab"), "work", "work")
	if err := os.MkdirAll(filepath.Join(work, "inner"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(work, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget("lab"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.ClusterDir("lab")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory: got %v, want it removed", err)
	}
}

// rerunUnprivileged runs the test in a process of a user without permissions.
func rerunUnprivileged(t *testing.T) {
	t.Helper()
	const unprivileged = 65534
	home := t.TempDir()
	program := filepath.Join(home, "tests")
	content, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chown(home, unprivileged, unprivileged), os.Chmod(filepath.Dir(home), 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Dir, cmd.Env = home, []string{"TMPDIR=" + home}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("run as user 65534: %v\n%s", err, out)
	}
}
