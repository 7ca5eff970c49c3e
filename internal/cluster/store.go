package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Store is the directory in which a provider keeps what it remembers of its clusters, a record of type R each:
//
//	<name>/cluster.json   the record
//	<name>/kubeconfig     readable by the user alone
//	<name>.lock           held while somebody works on the cluster
//	<name>.log            what there was to say when one could not be made
type Store[R any] struct{ Dir string }

// ClusterDir is the directory of a cluster.
func (s Store[R]) ClusterDir(name string) string { return filepath.Join(s.Dir, name) }

// Kubeconfig is the path of a cluster's kubeconfig.
func (s Store[R]) Kubeconfig(name string) string { return filepath.Join(s.Dir, name, "kubeconfig") }

// LockFile is what to lock while working on a cluster.
func (s Store[R]) LockFile(name string) string { return filepath.Join(s.Dir, name+".lock") }

// LogFile is where to keep what was said when a cluster could not be made; it outlives Forget.
func (s Store[R]) LogFile(name string) string { return filepath.Join(s.Dir, name+".log") }

// RecordFile is where the record of a cluster is.
func (s Store[R]) RecordFile(name string) string { return filepath.Join(s.Dir, name, "cluster.json") }

// Load returns the record of a cluster, or nil if there is none. One that cannot be read is an empty one: the file is
// written as a whole, so something is badly wrong and starting over is the cure.
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

// Save writes the record so that a crash leaves the old one or the new one.
func (s Store[R]) Save(name string, r *R) error {
	if err := os.MkdirAll(s.ClusterDir(name), 0o700); err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	tmp := s.RecordFile(name) + ".new"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	if err := os.Rename(tmp, s.RecordFile(name)); err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	return nil
}

// Forget removes everything about a cluster but the log of a failure.
func (s Store[R]) Forget(name string) error {
	if err := removeTree(s.ClusterDir(name)); err != nil {
		return fmt.Errorf("files of cluster %q: %w", name, err)
	}
	return nil
}

// removeTree is os.RemoveAll, also for a tree with directories that their owner may not read: overlayfs makes one for every
// container (its "work", which has mode 0), and containers may make others.
func removeTree(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(p, 0o700) //nolint:gosec // a directory, before it is read; RemoveAll says what did not help
		}
		return nil
	})
	return os.RemoveAll(path)
}

// Names returns the clusters that have a directory, sorted.
func (s Store[R]) Names() ([]string, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
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
