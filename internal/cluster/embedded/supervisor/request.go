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

// ChildCommand is the first argument with which the provider starts the program it is part of as a supervisor. The program
// has to call Run when it sees it.
const ChildCommand = "embedded-supervisor"

// Request is what the supervisor is told, as one line of JSON on its standard input.
//
// The standard input stays open for as long as its starter wants to be able to change its mind: if it ends before the line
// Keep came, because the starter was killed, say, the supervisor ends at once and leaves nothing behind.
type Request struct {
	// Name of the cluster, Dir its directory.
	Name, Dir string
	// New says that the directory is, too, and goes when nobody keeps the cluster; Lock is the file to lock meanwhile.
	New  bool
	Lock string
	// Nodes is their number.
	Nodes    int
	Binaries controlplane.Binaries
	// Executable is the program, for children of its own.
	Executable string
}

// Keep is the line that lets the supervisor outlive its starter.
const Keep = "keep\n"

// The listeners that a supervisor inherits, as numbers of descriptors.
const (
	apiListener = 3 + iota
	httpListener
	httpsListener
	statusListener
)

// Event is what the supervisor tells, one JSON line each on its standard output.
type Event struct {
	// Step says that something begins; what began before has ended well.
	Step string `json:",omitempty"`
	// Ready says that the cluster is, and that nothing else will be told.
	Ready bool `json:",omitempty"`
	// Error is why there will be no cluster. Damaged says that its data is the reason.
	Error   string `json:",omitempty"`
	Damaged bool   `json:",omitempty"`
}

// events writes events. Who should hear them may be gone, and that is no matter.
type events struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newEvents(w io.Writer) *events { return &events{out: json.NewEncoder(w)} }

func (e *events) tell(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.out.Encode(event)
}

// NodeName is the name of node number i, from 0; kind's names.
func NodeName(cluster string, i int) string {
	switch i {
	case 0:
		return cluster + "-control-plane"
	case 1:
		return cluster + "-worker"
	}
	return fmt.Sprintf("%s-worker%d", cluster, i)
}

// NodeAddress is the address of node number i, from 0: those after the hub's.
func NodeAddress(i int) netip.Addr {
	address := network.Hub.Next()
	for range i {
		address = address.Next()
	}
	return address
}

// NodesDir is the directory below that of a cluster where each node has its own, by its name.
func NodesDir(cluster string) string { return filepath.Join(cluster, "nodes") }

// ImageDir is the directory below that of a cluster with the images that its nodes run.
func ImageDir(cluster string) string { return filepath.Join(cluster, "images") }
