package cluster

import (
	"fmt"
	"slices"

	"k8s.io/client-go/rest"
)

// Cluster describes a running cluster: its API server responds and its nodes are Ready.
type Cluster struct {
	// Name is unique for a provider.
	Name string
	// Provider is the name of the cluster's provider: "kind".
	Provider string
	// Kubeconfig is ingresslab's own kubeconfig file, with this cluster as the current context.
	Kubeconfig string
	// Config is the content of Kubeconfig for client-go.
	Config *rest.Config
	// Addresses reach the ingress from this machine.
	Addresses Addresses
	// Missing is what the cluster does not support.
	Missing Missing
	// Created is true if this call of Up created the cluster, so that a canceled Up removes it.
	Created bool
	// Overrides change objects before they are applied to the cluster.
	Overrides Overrides
	// Registry is where nodes pull images ("registry.example.com/lab"); empty if they have them.
	Registry string
	// Forward is the command that opens Addresses if no command of ingresslab keeps them open. It
	// is empty if they are always open.
	Forward string
}

// Overrides replace names in manifests by those of a cluster.
type Overrides struct {
	// Images maps the image references of manifests to the references that the nodes pull.
	Images map[string]string
	// Classes maps the Ingress classes of manifests to the classes of the cluster.
	Classes map[string]string
}

// Addresses are host:port pairs on this machine that reach the ports of the controller.
type Addresses struct {
	HTTP   string // container port 80
	HTTPS  string // container port 443
	Status string // the controller's status page, container port 18080
}

// Capability is a feature that a cluster can support.
type Capability string

// Scenarios list these capabilities in `requires:`. If one is missing, the scenario is skipped with
// a reason; it never passes.
const (
	// Pods means that containers really run.
	Pods Capability = "pods"
	// Nodes means more than one node, for tests of spreading and of node ports.
	Nodes Capability = "nodes"
	// Services means that the cluster IP of a Service works.
	Services Capability = "services"
	// DNS means that names of Services resolve in pods.
	DNS Capability = "dns"
)

// Commands check these capabilities.
const (
	// Creation means that the provider can create clusters.
	Creation Capability = "creation"
	// Isolation means that only ingresslab uses the cluster, so that it can change every object.
	Isolation Capability = "isolation"
	// ImageLoading means that nodes accept images from this machine without a registry.
	ImageLoading Capability = "imageLoading"
)

// Requirements lists the capabilities that a scenario can require, in print order.
func Requirements() []Capability { return []Capability{Pods, Nodes, Services, DNS} }

// Missing maps each capability that a cluster lacks to the reason, which completes "skipped: ". A
// cluster supports every capability that is not in the map.
type Missing map[Capability]string

// Lacks returns the reasons why the cluster does not meet the requirements, in their order. An
// unknown requirement is a reason, too, so that it never passes unnoticed.
func (m Missing) Lacks(required ...Capability) []string {
	var reasons []string
	for _, r := range required {
		if !slices.Contains(Requirements(), r) {
			reasons = append(reasons, fmt.Sprintf("unknown requirement %q", r))
		} else if why, lacks := m[r]; lacks {
			reasons = append(reasons, fmt.Sprintf("requires %s: %s", r, why))
		}
	}
	return reasons
}

// Has reports whether the cluster supports a capability.
func (m Missing) Has(c Capability) bool {
	_, lacks := m[c]
	return !lacks
}
