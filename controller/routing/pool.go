package routing

import (
	"net/http"
	"net/netip"
	"strconv"

	"k8s.io/apimachinery/pkg/types"
)

// Pool is the set of endpoints behind one Service port.
type Pool struct {
	// Service and Port identify the pool. Port is the name of the Service port, or its number if it
	// has no name.
	Service types.NamespacedName
	Port    string
	// Endpoints are sorted by address, without duplicates. If empty, requests get 503 with Reason.
	Endpoints []Endpoint
	// Reason says why there is no endpoint. It is empty if there is one.
	Reason string
	// Draining is set if all endpoints belong to terminating pods. They get requests only because
	// no other endpoint exists.
	Draining bool
	// Virtual is set if the only endpoint is the cluster IP of the Service (service-upstream).
	Virtual bool

	// byID finds an endpoint by its ID. It is nil if no route to the pool has affinity.
	byID map[string]*Endpoint
}

// ready reports whether the pool has an endpoint that is not terminating.
func (p *Pool) ready() bool { return len(p.Endpoints) > 0 && !p.Draining }

// Key identifies the pool in metrics and live state: "namespace/service:port". A virtual pool has
// "namespace/service:port (service)", because a table can also have the port's pool of pods.
func (p *Pool) Key() string {
	if p.Virtual {
		return p.Service.String() + ":" + p.Port + " (service)"
	}
	return p.Service.String() + ":" + p.Port
}

// ServerName is the DNS name of the pool's Service for certificates: "name.namespace.svc".
func (p *Pool) ServerName() string {
	if len(p.Endpoints) > 0 && p.Endpoints[0].Name != "" {
		return p.Endpoints[0].Name
	}
	return p.Service.Name + "." + p.Service.Namespace + ".svc"
}

// HostPort is the address to dial: "10.244.1.7:8080", or "db.shop.test:443" for an endpoint with a
// name.
func (e *Endpoint) HostPort() string {
	if e.Name != "" {
		return e.Name + ":" + strconv.Itoa(int(e.Address.Port()))
	}
	return e.Address.String()
}

// Endpoint is one destination for requests: a pod, the cluster IP of a virtual Pool, or an external
// name.
type Endpoint struct {
	// Address is the IP address and the port. If there is a Name, the IP address is unspecified.
	Address netip.AddrPort
	// Name is the external name if the Service has type ExternalName.
	Name string
	// Pod is the namespace and name of the pod, or zero if the EndpointSlice has none.
	Pod types.NamespacedName
	// Node is the name of the pod's node, or empty if unknown.
	Node string
	// ID identifies the endpoint in affinity cookies: a digest of pool, address, and pod. It is
	// empty if no route to the pool has affinity.
	ID string
}

// choosePool selects the pool of the rule or of a canary. If that pool has no endpoints, the other
// one gets the request. If neither has any, the error backend gets it.
func (s *step) choosePool() (done bool) {
	d, route := s.decision, s.decision.Route
	d.Action, d.Timeouts = Forward, route.Timeouts
	choice := route.choose(s.request)
	d.Pool = choice.pool
	backend := &route.Policy.Backend
	if c := choice.canary; c != nil {
		d.Canary, d.CanaryOf, d.Reason = true, c.Ingress, c.why[choice.cause]
		backend = &c.Backend
	}
	if len(d.Pool.Endpoints) == 0 {
		return s.chooseErrorPool()
	}
	d.Sticky, d.Endpoint = route.Policy.Affinity.Enabled, choice.endpoint
	d.LoadBalance = backend.LoadBalance
	if hash := &backend.HashBy; !hash.IsZero() {
		d.HashKey = hash.Expand(Variables(*s.request, *d))
	}
	return false
}

// chooseErrorPool replaces a pool without endpoints with the error backend: that of the Ingress
// (annotation default-backend) always, and that of the controller only if custom-http-errors has
// 503.
func (s *step) chooseErrorPool() (done bool) {
	d, p := s.decision, s.decision.Policy
	wanted := p.Errors.Service != "" || contains503(p.Errors.Codes)
	if p.ErrorPool == nil || len(p.ErrorPool.Endpoints) == 0 || !wanted {
		s.refuse(http.StatusServiceUnavailable, d.Pool.Reason)
		return true
	}
	d.Reason = d.Pool.Reason
	d.Pool, d.Unavailable = p.ErrorPool, http.StatusServiceUnavailable
	d.Canary, d.CanaryOf = false, Route{}.Ingress
	return true
}

func contains503(codes []int) bool {
	for _, code := range codes {
		if code == http.StatusServiceUnavailable {
			return true
		}
	}
	return false
}
