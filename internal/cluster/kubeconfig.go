package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// LoadConfig reads the current context of a kubeconfig file.
func LoadConfig(path string) (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return cfg, nil
}

// UseNamespace sets the namespace in the cluster's own kubeconfig, not in the user's.
func (c *Cluster) UseNamespace(namespace string) error {
	return editKubeconfig(c.Kubeconfig, func(cfg *clientcmdapi.Config) error {
		current := cfg.Contexts[cfg.CurrentContext]
		if current == nil {
			return fmt.Errorf("its current context %q does not exist", cfg.CurrentContext)
		}
		if current.Namespace == namespace {
			return errUnchanged
		}
		current.Namespace = namespace
		return nil
	})
}

// UserKubeconfig returns the file that kubectl writes to
// (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/).
func UserKubeconfig() string {
	return clientcmd.NewDefaultPathOptions().GetDefaultFilename()
}

// MergeKubeconfig copies all entries of one kubeconfig file into another and makes the current
// context the current one there. It creates the other file if necessary.
func MergeKubeconfig(from, into string) error {
	source, err := clientcmd.LoadFromFile(from)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", from, err)
	}
	return editKubeconfig(into, func(cfg *clientcmdapi.Config) error {
		maps.Copy(cfg.Contexts, source.Contexts)
		maps.Copy(cfg.Clusters, source.Clusters)
		maps.Copy(cfg.AuthInfos, source.AuthInfos)
		cfg.CurrentContext = source.CurrentContext
		return nil
	})
}

// RemoveContext removes a context, its cluster, and its user, if the kubeconfig file exists.
func RemoveContext(path, context string) error {
	return editKubeconfig(path, func(cfg *clientcmdapi.Config) error {
		if len(cfg.Contexts) == 0 {
			return errUnchanged
		}
		delete(cfg.Contexts, context)
		delete(cfg.Clusters, context)
		delete(cfg.AuthInfos, context)
		if cfg.CurrentContext == context {
			cfg.CurrentContext = ""
		}
		return nil
	})
}

// errUnchanged makes editKubeconfig return without writing.
var errUnchanged = errors.New("unchanged")

// editKubeconfig changes a kubeconfig file. A missing file counts as empty.
func editKubeconfig(path string, edit func(*clientcmdapi.Config) error) error {
	cfg, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		cfg, err = clientcmdapi.NewConfig(), nil
	}
	if err == nil {
		err = edit(cfg)
	}
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		err = replaceKubeconfig(cfg, path)
	}
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return nil
}

// replaceKubeconfig atomically replaces the file at path, or the target of a link there. If the
// disk is full, the old file remains. kubectl in another terminal never reads half a file.
func replaceKubeconfig(cfg *clientcmdapi.Config, path string) (err error) {
	content, err := clientcmd.Write(*cfg)
	if err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".kubeconfig-*") // readable by its owner only
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(next.Name()) // an incomplete file
		}
	}()
	_, err = next.Write(content)
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return fmt.Errorf("%w (the file is unchanged)", err)
	}
	if before, err := os.Stat(path); err == nil {
		if owner, ok := before.Sys().(*syscall.Stat_t); ok {
			_ = os.Chown(next.Name(), int(owner.Uid), int(owner.Gid)) // only root can change the owner
		}
		if err := os.Chmod(next.Name(), before.Mode().Perm()); err != nil {
			return err
		}
	}
	return os.Rename(next.Name(), path)
}
