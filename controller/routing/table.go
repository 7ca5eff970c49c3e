package routing

import (
	"regexp"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Route is one path of one rule, or a default backend. Nothing changes it after Build.
type Route struct {
	// Ingress is the source of the route; zero: the controller's default backend.
	Ingress types.NamespacedName
	// Field is the place in that object: "spec.rules[0].http.paths[1]" or "spec.defaultBackend".
	// For the controller's default backend it is the flag.
	Field string
	// Host is lower case: "shop.test", "*.shop.test", or empty for every host.
	Host string
	// Path is as written in the Ingress. An empty ImplementationSpecific path is "/"; that of a
	// default backend is empty.
	Path string
	// PathType is empty for a default backend.
	PathType networkingv1.PathType
	// Pool is never nil. For a backend that is not a Service it is empty, and has no Service.
	Pool     *Pool
	Timeouts Timeouts
	// Policy is never nil.
	Policy *Policy
	// Canaries are the Ingresses that take a share of the route's requests, the oldest first.
	Canaries []*Canary
	// Blocked is why the route responds with 503 whatever its pool has; empty: it does not.
	Blocked string

	// Regex is set if Path is a regular expression.
	Regex bool

	// canonical is Path in the form for comparisons, including its last slash; as written for a
	// Regex.
	canonical string
	// pattern is the compiled Path of a Regex. rewrite changes the path; nil: the path stays.
	pattern *regexp.Regexp
	rewrite *rewrite
	// servicePort is the backend's port as written, for $service_port.
	servicePort string
	// redirectHost is the target of a host that exists only for from-to-www-redirect; empty: it is
	// another route.
	redirectHost string
	// plain is set if the Policy needs no work for each request, except ssl-redirect.
	plain bool
	// leavesCanary is set if affinity cookies do not apply to canaries (affinity-canary-behavior).
	leavesCanary bool
	// owner is the object of Problems about the route.
	owner ObjectRef
	// why is the Reason of Decisions for this route. It is kept because rendering it for each
	// request would allocate.
	why string
}

// match returns what the route matches: "Prefix /app".
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
	// Ingress and Field are where it comes from, Host, Path and PathType those of the Route.
	Ingress types.NamespacedName
	Field   string
	Options annotations.Canary
	Pool    *Pool
	// Backend is how the proxy selects an endpoint of Pool: LoadBalance and HashBy. The rest comes
	// from the Policy of the Route.
	Backend annotations.Backend

	// header is Options.Header in the form of http.Header.
	header string
	// from and to bound the random values of the canary: from <= value < to.
	from, to float64
	// why has the Reason of Decisions for each cause.
	why [causes]string
}

// Table finds the route of a request. Build creates it, and nothing changes it afterwards, so any
// number of goroutines can use it. Its methods return shared values, which callers must not change.
// A nil or zero Table is that of a cluster without Ingresses: it responds with 404.
type Table struct {
	// exact finds a host by its name, wildcard by what follows its asterisk: ".shop.test".
	exact, wildcard map[string]*virtualHost
	// anyHost has the rules without a host; nil: there are none.
	anyHost *virtualHost
	// catchAll is the default backend of an Ingress without rules, fallback that of the controller;
	// nil: there is none.
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
// sorted. The last one is empty if there are rules without a host.
func (t *Table) Hosts() []string {
	if t == nil {
		return nil
	}
	return t.hosts
}

// Routes returns all routes by host, and those of a host in the order of precedence: the longest
// path first, the default backend last. The catch-all and the default backend of the controller
// come last.
func (t *Table) Routes() []*Route {
	if t == nil {
		return nil
	}
	return t.routes
}

// CatchAll returns the default backend of an Ingress without rules; nil: there is none.
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

// Claims reports whether an Ingress is one of Ingresses.
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

// Memory returns what the next Build can reuse; nil: nothing.
func (t *Table) Memory() *Memory {
	if t == nil {
		return nil
	}
	return t.memory
}
