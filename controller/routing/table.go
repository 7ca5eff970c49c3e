package routing

import (
	"regexp"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Route is one path of one rule, or a default backend. Nothing changes it after Build.
type Route struct {
	// Ingress is the source of the route. It is zero for the controller's default backend.
	Ingress types.NamespacedName
	// Field is the place in that object: "spec.rules[0].http.paths[1]" or "spec.defaultBackend".
	// For the controller's default backend, it is the name of the flag.
	Field string
	// Host is lower case: "shop.test", "*.shop.test", or empty for every host.
	Host string
	// Path is as written in the Ingress, but "/" for an empty ImplementationSpecific path. It is
	// empty for a default backend.
	Path string
	// PathType is empty for a default backend.
	PathType networkingv1.PathType
	// Pool is never nil. If the backend is not a Service, the Pool has no endpoints and no Service.
	Pool     *Pool
	Timeouts Timeouts
	// Policy is never nil.
	Policy *Policy
	// Canaries are the Ingresses that take a share of the route's requests, the oldest first.
	Canaries []*Canary
	// Blocked says why the route responds with 503 even if its pool has endpoints, or is empty.
	Blocked string

	// Regex is set if Path is a regular expression.
	Regex bool

	// canonical is Path in its canonical form, including its last slash. For a Regex, it is Path as
	// written.
	canonical string
	// pattern is the compiled Path of a Regex. rewrite is nil if the path does not change.
	pattern *regexp.Regexp
	rewrite *rewrite
	// servicePort is the backend's port as written, for $service_port.
	servicePort string
	// redirectHost is the target of a route that exists only for from-to-www-redirect. It is empty
	// for all other routes.
	redirectHost string
	// plain is the result of isPlain.
	plain bool
	// leavesCanary is set if affinity cookies do not apply to canaries (affinity-canary-behavior).
	leavesCanary bool
	// owner is the object of Problems about the route.
	owner ObjectRef
	// why is the Reason of Decisions for this route. It is stored because rendering it for each
	// request would allocate.
	why string
}

// match describes what the route matches, such as "Prefix /app".
func (r *Route) match() string {
	switch {
	case r.PathType == "":
		return "the default backend"
	case r.redirectHost != "":
		return "the redirect to " + r.redirectHost
	case r.Regex:
		return string(r.PathType) + " ~ " + r.Path
	}
	return string(r.PathType) + " " + r.Path
}

// Canary is another Ingress's backend for a share of a Route's requests.
type Canary struct {
	// Ingress and Field are the source. Host, Path, and PathType are those of the Route.
	Ingress types.NamespacedName
	Field   string
	Options annotations.Canary
	Pool    *Pool
	// Backend is how the proxy selects an endpoint of Pool: LoadBalance and HashBy. All other
	// options come from the Policy of the Route.
	Backend annotations.Backend

	// header is Options.Header in the form of http.Header.
	header string
	// from and to limit the random values that select the canary: from <= value < to.
	from, to float64
	// why has the Decision.Reason for each criterion that can select the canary.
	why [causes]string
}

// Table finds the route of a request. Build creates it, and nothing changes it afterwards, so any
// number of goroutines can use it. Its methods return shared values, which callers must not change.
// A nil or zero Table has no routes and responds with 404 to all requests.
type Table struct {
	// exact finds a host by its name, wildcard by its name without the asterisk: ".shop.test".
	exact, wildcard map[string]*virtualHost
	// anyHost has the rules without a host, or is nil if there are none.
	anyHost *virtualHost
	// catchAll is the default backend of an Ingress without rules. fallback is the controller's
	// default backend. Either can be nil.
	catchAll, fallback *Route

	hosts     []string
	routes    []*Route
	pools     []*Pool
	ingresses []types.NamespacedName
	claimed   map[types.NamespacedName]bool

	settings     annotations.Settings
	certificates *certificates
	references   References
	// clientTLS has the policies that verify clients, by host.
	clientTLS map[string]*Policy
	memory    *Memory
}

// Hosts returns the hosts with rules in the order of precedence: exact ones, then wildcards, each
// sorted. The last host is empty if there are rules without a host.
func (t *Table) Hosts() []string {
	if t == nil {
		return nil
	}
	return t.hosts
}

// Routes returns all routes, sorted by host and then in the order of precedence: the longest path
// first, the default backend of the host last. The catch-all and the controller's default backend
// come at the end.
func (t *Table) Routes() []*Route {
	if t == nil {
		return nil
	}
	return t.routes
}

// CatchAll returns the default backend of an Ingress without rules, or nil if there is none.
func (t *Table) CatchAll() *Route {
	if t == nil {
		return nil
	}
	return t.catchAll
}

// Pools returns the pools of all routes, sorted by Service and port, including empty ones.
func (t *Table) Pools() []*Pool {
	if t == nil {
		return nil
	}
	return t.pools
}

// Ingresses returns the Ingresses of our class, sorted, with or without routes. The controller
// writes their status.
func (t *Table) Ingresses() []types.NamespacedName {
	if t == nil {
		return nil
	}
	return t.ingresses
}

// Claims reports whether Ingresses contains an Ingress.
func (t *Table) Claims(ingress types.NamespacedName) bool {
	return t != nil && t.claimed[ingress]
}

// Settings returns the settings in the controller's ConfigMap. They are shared, so callers must not
// change them.
func (t *Table) Settings() annotations.Settings {
	if t == nil {
		return annotations.DefaultSettings()
	}
	return t.settings
}

// References returns the Secrets and ConfigMaps that the Table depends on, found or not.
func (t *Table) References() References {
	if t == nil {
		return References{}
	}
	return t.references
}

// Memory returns the parsed objects for the next Build. It can be nil.
func (t *Table) Memory() *Memory {
	if t == nil {
		return nil
	}
	return t.memory
}
