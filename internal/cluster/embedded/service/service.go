// Package service makes Services work: their virtual addresses and node ports lead to ready endpoints, and their names resolve
// (https://kubernetes.io/docs/reference/networking/virtual-ips/,
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).
//
// A real cluster does the first in the kernel of every node, with rules that kube-proxy writes. Here the hub of the private
// network owns all virtual addresses and carries each connection in user space, as kube-proxy's first mode once did.
package service

import (
	"context"
	"errors"

	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// Config says what to serve.
type Config struct {
	// Client may list and watch Services and EndpointSlices (user system:kube-proxy).
	Client kubernetes.Interface
	// Hub owns the virtual addresses.
	Hub network.Namespace
	// Nodes have the node ports; by name.
	Nodes map[string]network.Namespace
	// ClusterDomain is what names end in: "cluster.local".
	ClusterDomain string
	// Log hears of what goes wrong with one Service and does not stop the others.
	Log func(format string, arguments ...any)
}

// Run keeps listeners and names as the API says until ctx ends. ready is called once, when everything that existed at the
// start is served.
func Run(_ context.Context, _ Config, _ func()) error { return errors.New("not built yet") }
