package kind

import (
	"path/filepath"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
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

// store keeps the records, and beside them the file "network", which exists while the network of the nodes is our making.
type store struct{ cluster.Store[record] }

func newStore(dir string) store { return store{cluster.Store[record]{Dir: dir}} }

func (s store) networkFile() string { return filepath.Join(s.Dir, "network") }

// finished tells whether the cluster has ever been Ready.
func (r *record) finished() bool { return !r.Ready.IsZero() }
