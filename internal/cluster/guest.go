package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Guest is a Provider of clusters that are not the lab's own: a context of the user's kubeconfig. The lab touches there only
// what carries its labels.
type Guest interface {
	Provider
	// Manifests is the kustomization to install, as a path in the checkout.
	Manifests() string
	// Registry is where nodes pull images from ("registry.example.com/lab"); empty if they have them.
	Registry(name string) string
	// Admit returns nil if the objects may be applied: nothing of somebody else's is in their way, and the user agrees where
	// that has to be asked.
	Admit(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured, progress Progress) error
	// Reach opens ways to the ingress, once the controller runs, and keeps them open until ctx ends.
	Reach(ctx context.Context, c *Cluster, progress Progress) (Addresses, error)
}

// Lent is what differs in a cluster that is not the lab's own.
type Lent struct {
	// Images says under which references the nodes pull the images that manifests name; none in it are the nodes' already.
	Images map[string]string
	// Classes says which class the Ingresses get whose manifests name another.
	Classes map[string]string
	// Forward is the command that opens the ingress to this machine when no command of the lab runs.
	Forward string
}
