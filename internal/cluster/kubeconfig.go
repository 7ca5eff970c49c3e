package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// UseNamespace makes namespace the one that kubectl works in with the
// cluster's own kubeconfig, as `kubectl config set-context --current
// --namespace` does. The user's kubeconfig is not touched.
func (c *Cluster) UseNamespace(namespace string) error {
	cfg, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", c.Kubeconfig, err)
	}
	current := cfg.Contexts[cfg.CurrentContext]
	if current == nil {
		return fmt.Errorf("kubeconfig %s: its current context %q is not there", c.Kubeconfig, cfg.CurrentContext)
	}
	if current.Namespace == namespace {
		return nil
	}
	current.Namespace = namespace
	if err := replaceKubeconfig(cfg, c.Kubeconfig); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", c.Kubeconfig, err)
	}
	return nil
}

// UserKubeconfig is the file that kubectl would write to
// (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/).
func UserKubeconfig() string {
	return clientcmd.NewDefaultPathOptions().GetDefaultFilename()
}

// MergeKubeconfig copies everything that the kubeconfig file from has into the one at into, and makes its current context
// the current one there. A file that does not exist is made.
func MergeKubeconfig(from, into string) error {
	ours, err := clientcmd.LoadFromFile(from)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", from, err)
	}
	theirs, err := clientcmd.LoadFromFile(into)
	if errors.Is(err, fs.ErrNotExist) {
		theirs, err = clientcmdapi.NewConfig(), nil
	}
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", into, err)
	}
	maps.Copy(theirs.Contexts, ours.Contexts)
	maps.Copy(theirs.Clusters, ours.Clusters)
	maps.Copy(theirs.AuthInfos, ours.AuthInfos)
	theirs.CurrentContext = ours.CurrentContext
	if err := replaceKubeconfig(theirs, into); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", into, err)
	}
	return nil
}

// RemoveContext removes a context, and the cluster and user of the same name, from a kubeconfig file. It is no error if
// there is no such file.
func RemoveContext(path, context string) error {
	cfg, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	delete(cfg.Contexts, context)
	delete(cfg.Clusters, context)
	delete(cfg.AuthInfos, context)
	if cfg.CurrentContext == context {
		cfg.CurrentContext = ""
	}
	return replaceKubeconfig(cfg, path)
}

// replaceKubeconfig writes a kubeconfig in the place of the file at path, or of the one that a link there leads to. On a full disk
// the old one stays, and kubectl in another terminal never finds half of one.
func replaceKubeconfig(cfg *clientcmdapi.Config, path string) (err error) {
	content, err := clientcmd.Write(*cfg)
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".kubeconfig-*") // only its owner may read it
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(next.Name()) // half a file is of no use
		}
	}()
	_, err = next.Write(content)
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return fmt.Errorf("%w (it stays as it was)", err)
	}
	if before, err := os.Stat(path); err == nil {
		if owner, ok := before.Sys().(*syscall.Stat_t); ok {
			_ = os.Chown(next.Name(), int(owner.Uid), int(owner.Gid)) // allowed where it matters: to root, of a user's file
		}
		if err := os.Chmod(next.Name(), before.Mode().Perm()); err != nil {
			return err
		}
	}
	return os.Rename(next.Name(), path)
}
