package routing

import (
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Route is one path of one rule of one Ingress, or an Ingress's default back-end. It is never changed once its Table is built.
type Route struct {
	// Ingress is the object the route comes from; zero for the controller's own default back-end.
	Ingress types.NamespacedName
	// Field is the place in that object: "spec.rules[0].http.paths[1]" or "spec.defaultBackend".
	Field string
	// Host is lower case: "shop.test", "*.shop.test", or empty for every host.
	Host string
	// Path is as written in the Ingress; empty for a default back-end.
	Path     string
	PathType networkingv1.PathType
	Pool     *Pool
	Timeouts Timeouts
	// Closed, when not empty, says why the route answers 503 whatever its pool holds.
	Closed string
}

// Pool is the set of endpoints behind one Service port.
type Pool struct {
	// Service and Port name the pool: Port is the Service port's name, or its number when it has none.
	Service types.NamespacedName
	Port    string
	// Endpoints are sorted by address, without duplicates. Empty: requests get 503 with Reason.
	Endpoints []Endpoint
	// Reason says why there is no endpoint, for people; empty when there is one.
	Reason string
}

// Key names the pool in metrics and live state: "namespace/service:port".
func (p *Pool) Key() string { return p.Service.String() + ":" + p.Port }

// Endpoint is one pod address that requests are sent to, never a Service's virtual IP.
type Endpoint struct {
	Address netip.AddrPort
	// Pod is the namespace/name of the pod behind the address; zero when the EndpointSlice names none.
	Pod types.NamespacedName
	// Node is where the pod runs; empty when unknown.
	Node string
}
