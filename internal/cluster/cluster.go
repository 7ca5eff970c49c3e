package cluster

import (
	"fmt"
	"slices"

	"k8s.io/client-go/rest"
)

// Cluster is a cluster that is up: its API server answers and its nodes are
// Ready. It is a description; holding one keeps nothing alive.
type Cluster struct {
	// Name is the name it was brought up under, unique for a provider.
	Name string
	// Provider is the name of the provider that runs it, e.g. "kind".
	Provider string
	// Kubeconfig is the path of a kubeconfig file whose current context is
	// this cluster. The file belongs to the lab, not to the user.
	Kubeconfig string
	// Config is what Kubeconfig says, ready for client-go.
	Config *rest.Config
	// Addresses is where the ingress is reached from this machine.
	Addresses Addresses
	// Capabilities is what scenarios may ask of it.
	Capabilities Capabilities
	// Created is true if this very call of Up made the cluster, false if it
	// was there before. Who cancels an Up may remove only what it created.
	Created bool
	// Lent is nil for a cluster of the lab's own. In one that is somebody else's, Addresses are there only while a command
	// keeps them open.
	Lent *Lent
}

// Addresses are host:port pairs on this machine that lead to the ports of the
// ingress controller.
type Addresses struct {
	HTTP   string // plain HTTP, container port 80
	HTTPS  string // TLS, container port 443
	Status string // the controller's status page, container port 18080
}

// Capability is something a scenario can require of a cluster, as it is
// written under `requires:` in a scenario file.
type Capability string

// The capabilities there are. A provider that lacks one leads to an explained
// skip, never to a pass.
const (
	// Pods means that containers really run.
	Pods Capability = "pods"
	// Nodes means more than one node, so that spreading and node ports mean
	// something.
	Nodes Capability = "nodes"
	// Services means that a Service's virtual address leads somewhere.
	Services Capability = "services"
	// DNS means that names of Services resolve in pods.
	DNS Capability = "dns"
)

// AllCapabilities lists every capability, in the order in which to print them.
func AllCapabilities() []Capability { return []Capability{Pods, Nodes, Services, DNS} }

// Capabilities maps each thing a cluster cannot do to the reason, in words
// that complete "skipped: ". A capability that is not in the map is there, so
// that a provider has to spell out only what it lacks.
type Capabilities map[Capability]string

// Lacks returns the reasons why the cluster cannot serve what is required, in
// the order of the requirements; none means that it can. A requirement that
// no cluster knows is a reason, too: it must never pass unnoticed.
func (c Capabilities) Lacks(required ...Capability) []string {
	var reasons []string
	for _, r := range required {
		if !slices.Contains(AllCapabilities(), r) {
			reasons = append(reasons, fmt.Sprintf("unknown requirement %q", r))
			continue
		}
		if why, lacks := c[r]; lacks {
			reasons = append(reasons, fmt.Sprintf("requires %s: %s", r, why))
		}
	}
	return reasons
}
