package cluster_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Without root, `down` met the directories that overlayfs leaves behind for every container: "permission denied".
func TestForgetRemovesDirectoriesThatCannotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every directory")
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
