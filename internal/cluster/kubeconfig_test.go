package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: kind-x
clusters: [{name: kind-x, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: kind-x, context: {cluster: kind-x, user: kind-x}}]
users: [{name: kind-x, user: {token: secret}}]
`

func TestUseNamespace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cluster.Cluster{Kubeconfig: path}
	if err := c.UseNamespace("lab-1"); err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.LoadFromFile(path)
	if err != nil || cfg.Contexts["kind-x"].Namespace != "lab-1" || cfg.AuthInfos["kind-x"].Token != "secret" {
		t.Errorf("got %+v, %v; want the namespace lab-1 and the rest as it was", cfg, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

// A reader during the change gets the complete old file or the complete new one.
func TestUseNamespaceReplacesFileAtomically(t *testing.T) {
	dir := t.TempDir()
	path, link, before := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "link"), filepath.Join(dir, "before")
	if err := errors.Join(os.WriteFile(path, []byte(kubeconfig), 0o640), os.Symlink(path, link), os.Link(path, before)); err != nil {
		t.Fatal(err)
	}
	if err := (&cluster.Cluster{Kubeconfig: link}).UseNamespace("lab-1"); err != nil {
		t.Fatal(err)
	}
	if old, err := os.ReadFile(before); err != nil || string(old) != kubeconfig {
		t.Errorf("the old file has changed: %s, %v", old, err)
	}
	if cfg, err := clientcmd.LoadFromFile(path); err != nil || cfg.Contexts["kind-x"].Namespace != "lab-1" {
		t.Errorf("got %+v, %v", cfg, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("link: mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v; want 0640", info.Mode(), err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
		t.Errorf("%d files, %v; want 3", len(files), err)
	}
}

func TestUseNamespaceWithoutCurrentContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := (&cluster.Cluster{Kubeconfig: path}).UseNamespace("lab-1")
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestMergeAndRemoveKeepOtherContexts(t *testing.T) {
	dir := t.TempDir()
	own, users := filepath.Join(dir, "own"), filepath.Join(dir, "users")
	if err := os.WriteFile(own, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(users, []byte(strings.ReplaceAll(kubeconfig, "kind-x", "work")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cluster.MergeKubeconfig(own, users); err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.LoadFromFile(users)
	if err != nil || len(cfg.Contexts) != 2 || cfg.CurrentContext != "kind-x" || cfg.AuthInfos["work"].Token != "secret" {
		t.Errorf("merged: %+v, %v; want both, with the merged context as the current one", cfg, err)
	}
	if err := cluster.RemoveContext(users, "kind-x"); err != nil {
		t.Fatal(err)
	}
	cfg, err = clientcmd.LoadFromFile(users)
	if err != nil || len(cfg.Contexts)+len(cfg.Clusters)+len(cfg.AuthInfos) != 3 || cfg.CurrentContext != "" {
		t.Errorf("removed: %+v, %v; want only the earlier entries", cfg, err)
	}
	fresh := filepath.Join(dir, "fresh")
	if err := cluster.MergeKubeconfig(own, fresh); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(fresh); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("new file: %v, %v; want mode 0600", info, err)
	}
}
