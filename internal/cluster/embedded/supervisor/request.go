// Package supervisor is PID 1 of an embedded cluster. It starts the network, the control plane, the
// nodes and the Services, serves the port mappings, and waits. Read supervisor.go first. request.go
// defines the messages between the provider and the supervisor.
//
// The supervisor needs no helper process outside its namespaces. It inherits the listeners on the
// machine: a socket stays in the network namespace where it was created (network_namespaces(7)).
// PID 1 accepts connections on the machine and dials in the cluster.
package supervisor

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"sync"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// ChildCommand is the argument that makes the provider's executable call Run.
const ChildCommand = "embedded-supervisor"

// Request configures the supervisor. It is one line of JSON on the standard input.
//
// The standard input is a lifetime pipe. If it closes before the line Keep, for example because the
// parent was killed, the supervisor stops at once and removes a new cluster.
type Request struct {
	Name, Dir string // Name is the name of the cluster, and Dir its directory
	// New is true if this request creates the cluster. If that fails, the supervisor removes Dir.
	New        bool
	Lock       string
	Nodes      int // Nodes is the number of nodes
	Binaries   controlplane.Binaries
	Executable string // Executable is the path of this program, for child processes
}

// Keep is the line on the standard input that lets the supervisor outlive its parent.
const Keep = "keep\n"

// These are the file descriptors of the inherited listeners.
const (
	apiListener = 3 + iota
	httpListener
	httpsListener
	statusListener
)

// Event is a line of JSON on the standard output of the supervisor. One field is set.
type Event struct {
	// Step is the name of a step that begins. All previous steps have succeeded.
	Step string `json:",omitempty"`
	// Ready means that the cluster is Ready. This is the last event.
	Ready bool `json:",omitempty"`
	// Error says why the cluster failed. Damaged means that the cluster's data is damaged.
	Error   string `json:",omitempty"`
	Damaged bool   `json:",omitempty"`
}

// events writes events. It ignores errors, because the parent might have exited.
type events struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newEvents(w io.Writer) *events { return &events{out: json.NewEncoder(w)} }

func (e *events) send(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.out.Encode(event)
}

// NodeName returns the name of node i (0 is the first), as in kind.
func NodeName(cluster string, i int) string {
	switch i {
	case 0:
		return cluster + "-control-plane"
	case 1:
		return cluster + "-worker"
	}
	return fmt.Sprintf("%s-worker%d", cluster, i)
}

// NodeAddress returns the address of node i. Node 0 has the next address after the hub.
func NodeAddress(i int) netip.Addr {
	address := network.Hub.Next()
	for range i {
		address = address.Next()
	}
	return address
}

// NodesDir returns the directory that contains a directory for each node. cluster is a directory.
func NodesDir(cluster string) string { return filepath.Join(cluster, "nodes") }

// ImageDir returns the directory of the nodes' images. cluster is the cluster's directory.
func ImageDir(cluster string) string { return filepath.Join(cluster, "images") }
