package cluster

import (
	"context"
	"time"
)

// Defaults of a Spec.
const (
	// DefaultName is the name of a cluster nobody named.
	DefaultName = "ingresslab"
	// DefaultNodes is one control plane and two workers: the smallest cluster
	// in which pods have a choice of nodes.
	DefaultNodes = 3
	// DefaultHTTPPort and its companions are the ports on 127.0.0.1. They are
	// above 1024 so that nobody needs to be root.
	DefaultHTTPPort   = 8080
	DefaultHTTPSPort  = 8443
	DefaultStatusPort = 18080
)

// AnyPort as a port of a Spec asks for a port that is free.
const AnyPort = -1

// Spec is what the caller wants of a cluster. The zero value of a field means
// "no wish": an existing cluster keeps what it has, a new one gets the default.
type Spec struct {
	// Name of the cluster; empty is DefaultName. It must be a DNS label of at
	// most 50 characters, since node names are made from it.
	Name string
	// Nodes is the number of nodes altogether; 1 is a control plane that also
	// runs pods.
	Nodes int
	// HTTPPort, HTTPSPort and StatusPort are ports on 127.0.0.1, 1 to 65535 or
	// AnyPort.
	HTTPPort, HTTPSPort, StatusPort int
	// NodeImage is the image that nodes run; empty lets the provider find one.
	NodeImage string
	// KeepOnFailure leaves whatever there is when Up fails or is canceled, so
	// that it can be looked at.
	KeepOnFailure bool
	// MergeKubeconfig also writes the cluster's context into the user's own
	// kubeconfig. Down takes it out again.
	MergeKubeconfig bool
	// Recreate removes an existing cluster of this name first.
	Recreate bool
}

// Provider makes clusters. All methods are safe to call when there is nothing
// to do, and from several processes as long as the names differ.
type Provider interface {
	// Name is what --cluster selects it by.
	Name() string
	// Up returns the cluster that spec describes: an existing one that fits, or
	// a new one. When ctx is canceled, or anything fails, it removes what it
	// made before it returns, unless spec says to keep it. An existing cluster
	// that does not fit is a *MismatchError; a port that is not free a
	// *PortTakenError; no container engine a *NoEngineError.
	Up(ctx context.Context, spec Spec, progress Progress) (*Cluster, error)
	// Down removes the cluster and every trace of it on this machine. It is no
	// error if there is none.
	Down(ctx context.Context, name string, progress Progress) error
	// Get returns a cluster that is up, without changing anything. If there is
	// none it returns a *NotFoundError, if it is not usable a *BrokenError.
	Get(ctx context.Context, name string) (*Cluster, error)
	// List tells about every cluster of this provider that the lab made.
	List(ctx context.Context) ([]Summary, error)
	// Logs writes what the nodes logged into dir, which is created.
	Logs(ctx context.Context, name, dir string) error
}

// Keeper is a Provider whose clusters do not outlive the program that brought them up until it says that they shall: a program
// that is killed before leaves nothing behind.
type Keeper interface {
	// Keep lets a cluster that Up returned live on. It is no error to keep one that does so already.
	Keep(ctx context.Context, name string) error
}

// Settler is a Provider whose Up returns as soon as pods can be started in a new cluster, so that other things can be done while
// the rest of it comes up.
type Settler interface {
	// Settle waits until a cluster that Up has just made has what pods expect to find in one, such as its DNS.
	Settle(ctx context.Context, name string, progress Progress) error
}

// Summary is one line of a listing.
type Summary struct {
	Name    string
	State   State
	Nodes   []Node
	Created time.Time
	// Problem says why State is not Running; empty if it is.
	Problem string
}

// Node is one machine of a cluster, as its provider sees it.
type Node struct {
	Name  string
	Role  string // "control-plane" or "worker"
	State string // "running", "exited", "missing", ...
}

// State is the condition a cluster is in.
type State string

// The states of a cluster.
const (
	// Running: finished, and every node runs.
	Running State = "running"
	// Stopped: finished, but nodes are stopped, e.g. by a restart of the engine.
	Stopped State = "stopped"
	// HalfCreated: an Up that did not come to its end.
	HalfCreated State = "half-created"
	// Absent: nothing is there.
	Absent State = "absent"
	// Unreachable: the lab made it, and what runs it does not answer, e.g. an engine that is not started.
	Unreachable State = "unreachable"
)

// Progress hears what is being done, for a person to follow. Implementations
// are safe for concurrent use.
type Progress interface {
	// Step says that something begins that takes a while. The function it
	// returns is called once, when that has ended: with nil if it went well.
	Step(text string) (done func(error))
	// Note says something worth a line: a decision, a warning.
	Note(text string)
}

// Quiet is a Progress that says nothing.
type Quiet struct{}

// Step implements Progress.
func (Quiet) Step(string) func(error) { return func(error) {} }

// Note implements Progress.
func (Quiet) Note(string) {}
