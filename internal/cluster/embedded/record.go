package embedded

import (
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

// loopback is the only address the lab listens on: a classroom's neighbors have no business in it.
const loopback = "127.0.0.1"

// record is what the lab remembers of a cluster. It is written before anything is started, so that whatever happens there is
// a trace.
type record struct {
	// Nodes and the ports are as created: resolved, never zero. They stay for the cluster's life, but for the API server's
	// port, which nobody types.
	Nodes      int `json:"nodes"`
	APIPort    int `json:"apiPort"`
	HTTPPort   int `json:"httpPort"`
	HTTPSPort  int `json:"httpsPort"`
	StatusPort int `json:"statusPort"`
	// Created is when Up began.
	Created time.Time `json:"created"`
	// Ready is when the cluster was last brought to be Ready. A record without it is of an Up that did not come to its end.
	Ready time.Time `json:"ready,omitzero"`
	// Supervisor is the process that is the cluster, or was.
	Supervisor process `json:"supervisor,omitzero"`
	// Kubernetes is the version that runs.
	Kubernetes string `json:"kubernetes,omitempty"`
	// MergedInto is the user's kubeconfig that has the cluster's context, if any.
	MergedInto string `json:"mergedInto,omitempty"`
}

func (r *record) finished() bool { return !r.Ready.IsZero() }

func (r *record) ports() [3]int { return [3]int{r.HTTPPort, r.HTTPSPort, r.StatusPort} }

func (r *record) addresses() cluster.Addresses {
	at := func(port int) string { return fmt.Sprintf("%s:%d", loopback, port) }
	return cluster.Addresses{HTTP: at(r.HTTPPort), HTTPS: at(r.HTTPSPort), Status: at(r.StatusPort)}
}

// store keeps the records. Beside record and kubeconfig a cluster's directory has
//
//	pki/      certificates and keys
//	etcd/     the data
//	images/   the images that the nodes run
//	nodes/    what the pods of each node have on disk
//	logs/     of the supervisor and of the control plane
type store struct{ cluster.Store[record] }

func (s store) imageDir(name string) string { return supervisor.ImageDir(s.ClusterDir(name)) }
