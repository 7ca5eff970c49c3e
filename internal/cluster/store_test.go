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

// Without root, `down` met the directories that overlayfs leaves behind for every container: "permission denied".
func TestForgetRemovesDirectoriesThatCannotBeRead(t *testing.T) {
	if os.Geteuid() == 0 { // who may read every directory
		againAsNobody(t)
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
		t.Errorf("it is still there (%v)", err)
	}
}

// againAsNobody runs the test once more in a process of a user without rights.
func againAsNobody(t *testing.T) {
	t.Helper()
	const nobody = 65534
	home := t.TempDir()
	program := filepath.Join(home, "tests")
	content, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chown(home, nobody, nobody), os.Chmod(filepath.Dir(home), 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Dir, cmd.Env = home, []string{"TMPDIR=" + home}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}
