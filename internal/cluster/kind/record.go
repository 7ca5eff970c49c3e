package kind

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// record is what the lab remembers of a cluster that it makes. It is written
// before anything is created, so that whatever happens there is a trace.
type record struct {
	// Nodes, the ports and NodeImage are as created: resolved, never zero.
	Nodes      int    `json:"nodes"`
	HTTPPort   int    `json:"httpPort"`
	HTTPSPort  int    `json:"httpsPort"`
	StatusPort int    `json:"statusPort"`
	NodeImage  string `json:"nodeImage"`
	// Created is when Up began.
	Created time.Time `json:"created"`
	// Ready is when the cluster was last brought to be Ready. A record without
	// it is of an Up that did not come to its end.
	Ready time.Time `json:"ready,omitzero"`
	// MergedInto is the user's kubeconfig that has the cluster's context, if any.
	MergedInto string `json:"mergedInto,omitempty"`
}

// store is the directory in which the provider keeps its files:
//
//	<name>/cluster.json   the record
//	<name>/kubeconfig     readable by the user alone
//	<name>.lock           held while somebody works on the cluster
//	<name>.log            what kind said when it failed
//	network               exists while the network of the nodes is our making
type store struct{ dir string }

func (s store) clusterDir(name string) string { return filepath.Join(s.dir, name) }
func (s store) kubeconfig(name string) string { return filepath.Join(s.dir, name, "kubeconfig") }
func (s store) recordFile(name string) string { return filepath.Join(s.dir, name, "cluster.json") }
func (s store) lockFile(name string) string   { return filepath.Join(s.dir, name+".lock") }
func (s store) logFile(name string) string    { return filepath.Join(s.dir, name+".log") }
func (s store) networkFile() string           { return filepath.Join(s.dir, "network") }

// finished tells whether the cluster has ever been Ready.
func (r *record) finished() bool { return !r.Ready.IsZero() }

// load returns the record of a cluster, or nil if there is none. One that
// cannot be read counts as an Up that did not end: the file is written as a
// whole, so something is badly wrong and starting over is the cure.
func (s store) load(name string) (*record, error) {
	data, err := os.ReadFile(s.recordFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record of cluster %q: %w", name, err)
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return &record{}, nil
	}
	return &r, nil
}

// save writes the record so that a crash leaves the old one or the new one.
func (s store) save(name string, r *record) error {
	if err := os.MkdirAll(s.clusterDir(name), 0o700); err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	tmp := s.recordFile(name) + ".new"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	if err := os.Rename(tmp, s.recordFile(name)); err != nil {
		return fmt.Errorf("record of cluster %q: %w", name, err)
	}
	return nil
}

// forget removes everything about a cluster but the log of a failure, and
// directories that are left empty.
func (s store) forget(name string) error {
	if err := os.RemoveAll(s.clusterDir(name)); err != nil {
		return fmt.Errorf("files of cluster %q: %w", name, err)
	}
	return nil
}

// names returns the clusters that have a record.
func (s store) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
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
