package routing

import (
	"net/netip"
	"regexp"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Route is one path of one rule of one Ingress, or an Ingress's default back-end. It is never changed once its Table is built.
type Route struct {
	// Ingress is the object the route comes from; zero for the controller's own default back-end.
	Ingress types.NamespacedName
	// Field is the place in that object: "spec.rules[0].http.paths[1]" or "spec.defaultBackend"; for the controller's own
	// default back-end, the flag that names it.
	Field string
	// Host is lower case: "shop.test", "*.shop.test", or empty for every host.
	Host string
	// Path is as written in the Ingress; "/" when an ImplementationSpecific one is empty there; empty for a default back-end.
	Path string
	// PathType is empty for a default back-end.
	PathType networkingv1.PathType
	// Pool is never nil. For a back-end that is not a Service it is empty and names none.
	Pool     *Pool
	Timeouts Timeouts
	// Policy is never nil.
	Policy *Policy
	// Canaries are the Ingresses that take a share of the route's requests, the oldest first.
	Canaries []*Canary
	// Closed, when not empty, says why the route answers 503 whatever its pool holds.
	Closed string

	// Regex says that Path is a regular expression.
	Regex bool

	// canonical is Path in the form that requests are compared with, its last slash included; as written for a Regex.
	canonical string
	// pattern is what Path means if it is a Regex, and rewrite what becomes of the path; nil: it goes on as it came.
	pattern *regexp.Regexp
	rewrite *rewrite
	// servicePort is the back-end's port as the Ingress has it, its name or number; for $service_port.
	servicePort string
	// redirectHost is where all requests of a host are sent that is there for from-to-www-redirect alone; empty: nowhere.
	redirectHost string
	// plain says that the Policy asks for nothing that has to be decided for each request, other than ssl-redirect.
	plain bool
	// leavesCanary says that an affinity cookie names no canary, and keeps nobody off one (affinity-canary-behavior).
	leavesCanary bool
	// owner is the object that Problems about the route go to.
	owner ObjectRef
	// why is the Reason of the Decisions that this route wins, kept because composing it per request would allocate.
	why string
}

// match says what the route matches, for people: "Prefix /app".
func (r *Route) match() string {
	switch {
	case r.PathType == "":
		return "the default back-end"
	case r.redirectHost != "":
		return "the redirect to " + r.redirectHost
	case r.Regex:
		return string(r.PathType) + " ~ " + r.Path
	}
	return string(r.PathType) + " " + r.Path
}

// Canary is another Ingress's back-end for a share of a Route's requests.
type Canary struct {
	// Ingress and Field are where it comes from, Host, Path and PathType those of the Route.
	Ingress types.NamespacedName
	Field   string
	Options annotations.Canary
	Pool    *Pool
	// Backend says how the endpoints of Pool are chosen: LoadBalance and HashBy. The rest of it is that of the Route's Policy.
	Backend annotations.Backend

	// header is Options.Header as http.Header has it.
	header string
	// from and to bound the draws that are the canary's share: from <= draw < to.
	from, to float64
	// why has the Reason of Decisions for each cause.
	why [causes]string
}

// Table answers which route a request takes. Build makes it, and nothing changes it afterwards, so any number of
// goroutines may use it; what its methods return is shared with it and must not be changed either. A nil or zero Table
// is the one of a cluster without Ingresses: it answers 404 to everything.
type Table struct {
	// exact finds a host by its name, wildcard by what follows its asterisk: ".shop.test".
	exact, wildcard map[string]*virtualHost
	// anyHost has the rules without a host; nil when there are none.
	anyHost *virtualHost
	// catchAll is the default back-end of an Ingress without rules, fallback the controller's own; nil when there is none.
	catchAll, fallback *Route

	hosts     []string
	routes    []*Route
	pools     []*Pool
	ingresses []types.NamespacedName
	claimed   map[types.NamespacedName]bool

	settings     annotations.Settings
	certificates *certificates
	references   References
	// clientTLS has, for a host, the policy by which its clients are verified.
	clientTLS map[string]*Policy
	memory    *Memory
}

// Hosts returns the hosts that have rules in the order in which they are asked: exact ones, then wildcards, each sorted,
// and at the end the empty string, which stands for rules without a host.
func (t *Table) Hosts() []string {
	if t == nil {
		return nil
	}
	return t.hosts
}

// Routes returns all routes, by host, and within a host in the order of preference: the longest path first, the default
// back-end last. The catch-all and the controller's own default back-end end the list.
func (t *Table) Routes() []*Route {
	if t == nil {
		return nil
	}
	return t.routes
}

// CatchAll returns the default back-end of an Ingress without rules, which serves what no host and path matches; nil when
// there is none.
func (t *Table) CatchAll() *Route {
	if t == nil {
		return nil
	}
	return t.catchAll
}

// Pools returns the pools of all routes, sorted by Service and port, those without endpoints included.
func (t *Table) Pools() []*Pool {
	if t == nil {
		return nil
	}
	return t.pools
}

// Ingresses returns the Ingresses of our class, sorted, whether or not any of their rules made it into the table. They
// are those whose status the controller writes.
func (t *Table) Ingresses() []types.NamespacedName {
	if t == nil {
		return nil
	}
	return t.ingresses
}

// Claims says whether an Ingress is one of Ingresses.
func (t *Table) Claims(ingress types.NamespacedName) bool {
	return t != nil && t.claimed[ingress]
}

// Settings are those of the controller's ConfigMap. They are shared and must not be changed.
func (t *Table) Settings() annotations.Settings {
	if t == nil {
		return annotations.DefaultSettings()
	}
	return t.settings
}

// References are the Secrets and ConfigMaps that the Table was made of, or would have been if they were there.
func (t *Table) References() References {
	if t == nil {
		return References{}
	}
	return t.references
}

// Memory returns what the next Build can reuse; nil: nothing.
func (t *Table) Memory() *Memory {
	if t == nil {
		return nil
	}
	return t.memory
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
	// Draining says that all endpoints are of pods that terminate: they serve for want of better ones, and may refuse any moment.
	Draining bool
	// Virtual says that the one endpoint is the Service's own address, which may be none of a pod (service-upstream).
	Virtual bool

	// byID finds an endpoint by its ID; nil unless a route with affinity leads to the pool.
	byID map[string]*Endpoint
}

// ready tells whether an endpoint is there that stays.
func (p *Pool) ready() bool { return len(p.Endpoints) > 0 && !p.Draining }

// Key names the pool in metrics and live state: "namespace/service:port", and for a virtual one "namespace/service:port
// (service)", which a table may have beside the one of the pods.
func (p *Pool) Key() string {
	if p.Virtual {
		return p.Service.String() + ":" + p.Port + " (service)"
	}
	return p.Service.String() + ":" + p.Port
}

// ServerName is the DNS name of the pool's Service, "name.namespace.svc", for certificates.
func (p *Pool) ServerName() string {
	if len(p.Endpoints) > 0 && p.Endpoints[0].Name != "" {
		return p.Endpoints[0].Name
	}
	return p.Service.Name + "." + p.Service.Namespace + ".svc"
}

// HostPort is what to dial: "10.244.1.7:8080", or "db.shop.test:443" for an endpoint with a name.
func (e *Endpoint) HostPort() string {
	if e.Name != "" {
		return e.Name + ":" + strconv.Itoa(int(e.Address.Port()))
	}
	return e.Address.String()
}

// Endpoint is one address that requests are sent to: a pod's, that of a Service in a virtual Pool, or a name outside the
// cluster.
type Endpoint struct {
	// Address has the port; its IP is the unspecified one if there is a Name.
	Address netip.AddrPort
	// Name is the DNS name that a Service of type ExternalName stands for; empty for all others.
	Name string
	// Pod is the namespace/name of the pod behind the address; zero when the EndpointSlice names none.
	Pod types.NamespacedName
	// Node is where the pod runs; empty when unknown.
	Node string
	// ID is what an affinity cookie calls the endpoint: a digest of pool, address and pod. Empty unless a route with
	// affinity leads to the pool.
	ID string
}
