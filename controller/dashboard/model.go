package dashboard

import (
	"cmp"
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Host is one host with its routes, the most specific path first.
type Host struct {
	// Name is empty for rules without a host.
	Name string `json:"name"`
	// Certificate is set if an Ingress requests TLS for the host.
	Certificate bool    `json:"certificate"`
	Routes      []Route `json:"routes"`
}

// Route is one path of a host.
type Route struct {
	Ingress  string `json:"ingress,omitempty"`
	Field    string `json:"field,omitempty"`
	Path     string `json:"path,omitempty"`
	PathType string `json:"pathType,omitempty"`
	Service  string `json:"service"`
	// Closed says why the route responds with 503 even if its pool has endpoints.
	Closed string `json:"closed,omitempty"`
	// Policy has the options of the Ingress, in the order in which the proxy applies them.
	Policy   []Feature `json:"policy"`
	Canaries []Canary  `json:"canaries"`
	Pool     *Pool     `json:"pool"`
}

// Canary gets a share of a route's requests.
type Canary struct {
	Ingress string `json:"ingress"`
	Service string `json:"service"`
	// Share describes the requests that the canary gets: "header X-Canary", "20 of 100".
	Share string `json:"share"`
	Pool  *Pool  `json:"pool"`
}

// Pool is a Service port with its pods.
type Pool struct {
	Service string `json:"service"`
	// Reason says why there are no endpoints.
	Reason string `json:"reason,omitempty"`
	// Virtual is set if the only endpoint is the cluster IP of the Service.
	Virtual   bool       `json:"virtual,omitempty"`
	Endpoints []Endpoint `json:"endpoints"`
}

// Endpoint is one address, with its statistics.
type Endpoint struct {
	Address  string `json:"address"`
	Pod      string `json:"pod,omitempty"`
	Node     string `json:"node,omitempty"`
	InFlight int64  `json:"inFlight"`
	Requests uint64 `json:"requests"`
	Failures uint64 `json:"failures"`
	// Avoided is set if the endpoint failed recently. It gets requests only if no other endpoint
	// can serve them.
	Avoided bool `json:"avoided,omitempty"`
}

// Certificate is a TLS certificate that the controller presents to clients.
type Certificate struct {
	Secret string `json:"secret"`
	// Hosts are the hosts for which Ingresses use the certificate. Names are the names in it.
	Hosts     []string  `json:"hosts"`
	Names     []string  `json:"names"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	// Stale is set if the Secret is invalid or deleted, and this is the last valid certificate.
	Stale bool `json:"stale,omitempty"`
}

// Problem is an error in one object.
type Problem struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Field     string `json:"field"`
	Code      string `json:"code"`
	// Reason is the sentence of Cause and Args (routing.Cause).
	Reason string            `json:"reason"`
	Cause  string            `json:"cause"`
	Args   map[string]string `json:"args,omitempty"`
}

// pools returns all pools with the live statistics of their endpoints, in the order of the table.
func (s Source) pools(table *routing.Table) ([]*Pool, map[*routing.Pool]*Pool) {
	live := map[[2]string]*balancer.Endpoint{}
	for _, e := range s.Endpoints() {
		live[[2]string{e.Pool(), e.HostPort()}] = e
	}
	list := []*Pool{}
	byPool := map[*routing.Pool]*Pool{}
	for _, pool := range table.Pools() {
		view := &Pool{Service: pool.Key(), Reason: pool.Reason, Virtual: pool.Virtual, Endpoints: []Endpoint{}}
		for _, endpoint := range pool.Endpoints {
			view.Endpoints = append(view.Endpoints, endpointView(endpoint, live[[2]string{pool.Key(), endpoint.HostPort()}]))
		}
		list = append(list, view)
		byPool[pool] = view
	}
	return list, byPool
}

// endpointView joins an endpoint of the table with its live state, which can be nil.
func endpointView(e routing.Endpoint, live *balancer.Endpoint) Endpoint {
	view := Endpoint{Address: e.HostPort(), Node: e.Node}
	if e.Pod.Name != "" {
		view.Pod = e.Pod.String()
	}
	if live != nil {
		view.InFlight, view.Requests, view.Failures = live.InFlight(), live.Requests(), live.Failures()
		view.Avoided = live.Avoided()
	}
	return view
}

// hosts returns the routes of the table by host, in the order of precedence.
func hosts(table *routing.Table, pools map[*routing.Pool]*Pool) []Host {
	list := []Host{}
	defaults := table.Settings().Options
	for _, route := range table.Routes() {
		if len(list) == 0 || list[len(list)-1].Name != route.Host {
			list = append(list, Host{Name: route.Host, Certificate: table.HasCertificate(route.Host)})
		}
		host := &list[len(list)-1]
		view := routeView(route, pools)
		view.Policy = features(route.Policy, defaults, host.Certificate)
		host.Routes = append(host.Routes, view)
	}
	return list
}

func routeView(route *routing.Route, pools map[*routing.Pool]*Pool) Route {
	view := Route{
		Field:    route.Field,
		Path:     route.Path,
		PathType: string(route.PathType),
		Closed:   route.Blocked,
		Canaries: []Canary{},
		Pool:     poolView(route.Pool, pools),
	}
	view.Service = view.Pool.Service
	if route.Ingress.Name != "" {
		view.Ingress = route.Ingress.String()
	}
	for _, canary := range route.Canaries {
		pool := poolView(canary.Pool, pools)
		view.Canaries = append(view.Canaries, Canary{
			Ingress: canary.Ingress.String(), Service: pool.Service, Share: share(canary.Options), Pool: pool,
		})
	}
	return view
}

// poolView returns the view of a pool. A backend that is not a Service has its own pool, which the
// table does not list.
func poolView(pool *routing.Pool, pools map[*routing.Pool]*Pool) *Pool {
	return cmp.Or(pools[pool], &Pool{Reason: pool.Reason, Endpoints: []Endpoint{}})
}

// share describes which requests a canary gets, in the order of its criteria.
func share(c annotations.Canary) string {
	var parts []string
	switch {
	case c.Header == "":
	case c.Value != "":
		parts = append(parts, fmt.Sprintf("header %s: %s", c.Header, c.Value))
	case c.Pattern != nil:
		parts = append(parts, fmt.Sprintf("header %s like %s", c.Header, c.Pattern))
	default:
		parts = append(parts, "header "+c.Header)
	}
	if c.Cookie != "" {
		parts = append(parts, "cookie "+c.Cookie)
	}
	if c.Weight > 0 || len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("%d of %d", c.Weight, c.WeightTotal))
	}
	return joined(parts)
}

func (s Source) problems() []Problem {
	list := []Problem{}
	for _, p := range s.Problems() {
		list = append(list, Problem{p.Object.Kind, p.Object.Namespace, p.Object.Name, p.Field, p.Code, p.Reason.String(),
			p.Reason.Cause.String(), p.Reason.Args()})
	}
	return list
}

func certificates(table *routing.Table) []Certificate {
	list := []Certificate{}
	for _, c := range table.Certificates() {
		list = append(list, Certificate{
			Secret: c.Secret.String(), Hosts: append([]string{}, c.Hosts...), Names: append([]string{}, c.Names...),
			NotBefore: c.NotBefore, NotAfter: c.NotAfter, Stale: c.Stale,
		})
	}
	return list
}
