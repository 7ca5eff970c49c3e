package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/adrg/xdg"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Store is the directory in which a provider keeps a record of type R for each cluster:
//
//	<name>/cluster.json   the record
//	<name>/kubeconfig     readable by the user only
//	<name>.lock           locked while a process changes the cluster
//	<name>.log            the log of a failed creation
type Store[R any] struct{ Dir string }

// Record is the part of a cluster's record that all providers with a Lifecycle share.
type Record struct {
	// Nodes, the ports, and NodeImage are the actual values. A 0 never means the default.
	Nodes      int       `json:"nodes"`
	HTTPPort   int       `json:"httpPort"`
	HTTPSPort  int       `json:"httpsPort"`
	StatusPort int       `json:"statusPort"`
	NodeImage  string    `json:"nodeImage,omitempty"`
	Created    time.Time `json:"created"` // when Up started
	// Ready is when Up last saw the cluster Ready. It is zero if Up never finished.
	Ready time.Time `json:"ready,omitzero"`
	// MergedInto is the user's kubeconfig that contains the cluster's context, if any.
	MergedInto string `json:"mergedInto,omitempty"`
}

// Shared returns r. A type that embeds Record therefore satisfies Lifecycle's constraint.
func (r *Record) Shared() *Record { return r }

// Finished reports whether the cluster has been Ready.
func (r *Record) Finished() bool { return !r.Ready.IsZero() }

// Ports returns the ports for HTTP, HTTPS, and status.
func (r *Record) Ports() [3]int { return [3]int{r.HTTPPort, r.HTTPSPort, r.StatusPort} }

// SetPorts sets the ports for HTTP, HTTPS, and status.
func (r *Record) SetPorts(ports [3]int) {
	r.HTTPPort, r.HTTPSPort, r.StatusPort = ports[0], ports[1], ports[2]
}

// StateDir returns dir, or by default ingresslab/provider in the user's XDG state directory.
func StateDir(dir, provider string) string {
	if dir != "" {
		return dir
	}
	return filepath.Join(xdg.StateHome, "ingresslab", provider)
}

// ClusterDir returns the directory of a cluster.
func (s Store[R]) ClusterDir(name string) string { return filepath.Join(s.Dir, name) }

// Kubeconfig returns the path of a cluster's kubeconfig.
func (s Store[R]) Kubeconfig(name string) string { return filepath.Join(s.Dir, name, "kubeconfig") }

// LockFile returns the file to lock during changes of a cluster.
func (s Store[R]) LockFile(name string) string { return filepath.Join(s.Dir, name+".lock") }

// LogFile returns the path for the log of a failed creation. Forget does not remove it.
func (s Store[R]) LogFile(name string) string { return filepath.Join(s.Dir, name+".log") }

// RecordFile returns the path of a cluster's record.
func (s Store[R]) RecordFile(name string) string { return filepath.Join(s.Dir, name, "cluster.json") }

// Load returns the record of a cluster, or nil if it does not exist. An unreadable record counts as
// empty: because Save is atomic, another program damaged it, and only a new cluster helps.
func (s Store[R]) Load(name string) (*R, error) {
	data, err := os.ReadFile(s.RecordFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record of cluster %q: %w", name, err)
	}
	r := new(R)
	if err := json.Unmarshal(data, r); err != nil {
		return new(R), nil
	}
	return r, nil
}

// Save writes the record atomically: after a crash, the file is either the old or the new one.
func (s Store[R]) Save(name string, r *R) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.MkdirAll(s.ClusterDir(name), 0o700)
	}
	tmp := s.RecordFile(name) + ".new"
	if err == nil {
		err = os.WriteFile(tmp, append(data, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(tmp, s.RecordFile(name))
	}
	if err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	return nil
}

// Forget removes all files of a cluster except the log of a failed creation.
func (s Store[R]) Forget(name string) error {
	if err := removeTree(s.ClusterDir(name)); err != nil {
		return fmt.Errorf("files of cluster %q: %w", name, err)
	}
	return nil
}

// removeTree is like os.RemoveAll, but also removes unreadable directories (overlayfs's "work").
func removeTree(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(p, 0o700) //nolint:gosec // a directory that is about to be read; RemoveAll reports the error
		}
		return nil
	})
	return os.RemoveAll(path)
}

// Names returns the clusters that have a directory, sorted.
func (s Store[R]) Names() ([]string, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("records of clusters: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

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
			return fmt.Errorf("current context %q does not exist", cfg.CurrentContext)
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

// MergeKubeconfig copies all entries of the file from into the file into, and uses from's current
// context there. It creates the file into if necessary.
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

// replaceKubeconfig atomically replaces the file at path, or the target if path is a link. The old
// file remains if the disk is full. kubectl in another terminal never reads half a file.
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
