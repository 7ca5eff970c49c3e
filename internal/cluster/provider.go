// Package cluster defines the contract between the lab and a Kubernetes cluster. A [Provider]
// creates and removes clusters, and a [Cluster] describes one that runs.
//
// Read Provider first. Each provider is a subpackage: kind, embedded, and existing. To add one,
// implement Provider in a new package and add a line to the list in internal/cli/providers.go.
// [Lifecycle] is the shared part of providers that create clusters on this machine.
package cluster

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Provider manages one type of cluster. All methods are idempotent. Several processes can call them
// at the same time for different clusters. Methods for a capability that is missing in [Info] do
// nothing and return nil.
type Provider interface {
	// Name returns the provider's value of --cluster.
	Name() string
	// Info describes the provider and its clusters.
	Info() Info
	// Ready returns nil if Up can create the cluster without minutes of preparation, with the reason:
	// "a Docker engine answers". Otherwise, the error is an *UnreadyError.
	Ready(ctx context.Context, spec Spec, progress Progress) (reason string, err error)

	// Up returns the cluster that spec describes: an existing one that matches, or a new one. If it
	// fails or ctx ends, it removes what it created, unless spec keeps it. Errors include
	// *MismatchError, *PortInUseError, and *NoEngineError.
	Up(ctx context.Context, spec Spec, progress Progress) (*Cluster, error)
	// Keep lets the cluster outlive this process. Without Keep, the cluster can end with the process.
	Keep(ctx context.Context, name string) error
	// WaitDNS waits for the DNS of a new cluster. Up returns as soon as the cluster can start pods.
	WaitDNS(ctx context.Context, name string, progress Progress) error
	// ImageNodes returns the nodes that accept images from this machine, without a registry.
	ImageNodes(ctx context.Context, name string) ([]ImageNode, error)
	// CheckInstall returns nil if ingresslab can apply the objects that install the controller. It
	// protects objects that others own, and asks the user to confirm if necessary.
	CheckInstall(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error
	// OpenPorts makes c.Addresses reach the running controller until ctx ends.
	OpenPorts(ctx context.Context, c *Cluster, progress Progress) error

	// Get returns a running cluster without changes, or a *NotFoundError or *BrokenError.
	Get(ctx context.Context, name string) (*Cluster, error)
	// List returns all clusters of this provider that ingresslab created or uses.
	List(ctx context.Context) ([]Summary, error)
	// Logs creates dir and writes the logs of the nodes into it.
	Logs(ctx context.Context, name, dir string) error
	// Down removes the cluster and its files on this machine. It does nothing if none exists.
	Down(ctx context.Context, name string, progress Progress) error
}

// Info describes a provider.
type Info struct {
	// Summary describes the clusters in the help of --cluster: "real nodes, as Docker containers".
	Summary string
	Noun    string // a noun to print after "using ": "a kind cluster"
	// Instead says how to select this provider if auto selects a different one. It can be empty.
	Instead   string
	Manifests string  // the kustomization that installs the controller, as a path in the checkout
	Missing   Missing // what no cluster of the provider supports
}

// ImageNode is a node that stores container images.
type ImageNode interface {
	// Name returns the name of the node.
	Name() string
	// Images returns a map of the node's images. Keys are references without a registry
	// ("cheese:cheddar"). Values are image IDs ("sha256:..."), the digests of the configurations.
	Images(ctx context.Context) (map[string]string, error)
	// Import adds the images of an archive in the format of `docker save`.
	Import(ctx context.Context, archive io.Reader) error
}

// Summary is one line of a list of clusters.
type Summary struct {
	Name    string
	State   State
	Nodes   []Node
	Created time.Time
	Problem string // the reason if State is not Running
}

// Node is one machine of a cluster, as its provider reports it.
type Node struct {
	Name  string
	Role  string // "control-plane" or "worker"
	State string // "running", "exited", "missing", ...
}

// State is the condition of a cluster.
type State string

// The states of a cluster.
const (
	Running State = "running" // the cluster is complete and all nodes run
	// Stopped means that the cluster is complete and nodes are stopped, for example by a reboot.
	Stopped     State = "stopped"
	HalfCreated State = "half-created" // an Up did not finish
	Absent      State = "absent"       // the cluster does not exist
	// Unreachable means that ingresslab created the cluster, but its engine does not respond.
	Unreachable State = "unreachable"
	// Foreign means that another program created the cluster. ingresslab does not change it.
	Foreign State = "foreign"
)

// Progress reports work to the user. Implementations are safe for concurrent use.
type Progress interface {
	// Step reports the start of a longer step. Call done once at its end, with nil on success.
	Step(text string) (done func(error))
	// Note reports a decision or a warning.
	Note(text string)
}

// Quiet is a Progress that reports nothing.
type Quiet struct{}

// Step implements Progress.
func (Quiet) Step(string) func(error) { return func(error) {} }

// Note implements Progress.
func (Quiet) Note(string) {}

// UnreadyError means that a provider cannot create a cluster without preparation.
type UnreadyError struct {
	Why   string // the reason: "no Docker engine answers"
	Cause error  // an underlying error, or nil
	Fix   string // how to use the provider anyway: "--cluster kind builds the image"
	Slow  bool   // Up can do the preparation itself, but needs minutes
}

func (e *UnreadyError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s (%v)", e.Why, e.Cause)
	}
	return e.Why
}

// Unwrap returns the cause.
func (e *UnreadyError) Unwrap() error { return e.Cause }

// NoEngineError means that no container engine responds.
type NoEngineError struct{ Cause error }

func (e *NoEngineError) Error() string {
	return fmt.Sprintf("no Docker engine: %v; kind clusters need one: on Debian or Ubuntu run `make engine` as root, "+
		"elsewhere install and start Docker Engine or Docker Desktop; --cluster embedded needs no Docker (Linux)", e.Cause)
}

// Unwrap returns the cause.
func (e *NoEngineError) Unwrap() error { return e.Cause }

// PortInUseError means that another process uses a port of the Spec.
type PortInUseError struct {
	Port   int
	Flag   string // the command-line flag that selects the port: "--http-port"
	Holder string // describes the other process. It is empty if unknown.
}

func (e *PortInUseError) Error() string {
	return fmt.Sprintf("%s; choose another with %s (0 picks a free one)", e.Fact(), e.Flag)
}

// Fact returns the message without the suggested fix.
func (e *PortInUseError) Fact() string {
	by := ""
	if e.Holder != "" {
		by = " by " + e.Holder
	}
	return fmt.Sprintf("port %s:%d is already in use%s", Loopback, e.Port, by)
}

// MismatchError means that the cluster exists, but with different settings.
type MismatchError struct {
	Name        string
	Differences []string // lines such as "nodes: has 1, want 3"
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("cluster %q already exists with other settings (%s); pass --recreate to replace it, or choose another --name",
		e.Name, strings.Join(e.Differences, "; "))
}

// NotFoundError means that the cluster does not exist.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("cluster %q not found; run `%s` to create it", e.Name, up(e.Name))
}

// BrokenError means that the cluster exists, but is not usable.
type BrokenError struct{ Name, Why string }

func (e *BrokenError) Error() string {
	return fmt.Sprintf("cluster %q is not usable: %s; run `%s` to repair it", e.Name, e.Why, up(e.Name))
}

// up returns the command that creates or repairs a cluster.
func up(name string) string {
	if name == DefaultName {
		return "ingresslab up"
	}
	return "ingresslab up --name " + name
}

// DamagedError means that the data of a stopped cluster is unreadable.
type DamagedError struct{ Name, Why string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("cluster %q cannot restart: %s; pass --recreate to replace it", e.Name, e.Why)
}
