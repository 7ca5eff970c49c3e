package dashboard

import (
	"cmp"
	"time"

	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/controller/upstream"
)

// Source is where the page gets its facts from. All functions are called for every request and must be quick.
type Source struct {
	Table     func() *routing.Table
	Problems  func() []routing.Problem
	Endpoints func() []*upstream.Endpoint
	Traffic   func() Traffic
	State     func() State
}

// Traffic is what nginx's stub_status module reports
// (https://nginx.org/en/docs/http/ngx_http_stub_status_module.html).
type Traffic struct {
	// Active connections are Reading a header, Writing a response, or Waiting for the next request.
	Active, Reading, Writing, Waiting int64
	// Accepted and Handled count connections, Requests requests, since the start.
	Accepted, Handled, Requests uint64
}

// State is the controller's own.
type State struct {
	Identity        string `json:"identity"`
	ControllerClass string `json:"controllerClass"`
	// Classes are the IngressClasses that are ours, sorted; DefaultClass is the one of them that Ingresses without a class get.
	Classes      []string  `json:"classes"`
	DefaultClass string    `json:"defaultClass,omitempty"`
	Started      time.Time `json:"started"`
	// Built is when the current table became live; zero before the first one.
	Built time.Time `json:"built"`
	// Leading says whether this replica writes status and Events.
	Leading bool `json:"leading"`
	// Stopping says that the signal to stop has come.
	Stopping bool `json:"stopping"`
	// WatchErrors are the latest failures to watch the API, by resource.
	WatchErrors map[string]WatchError `json:"watchErrors,omitempty"`
}

// WatchError is one failure to list or watch.
type WatchError struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}

// Host is one host with its routes, the most specific path first.
type Host struct {
	// Name is empty for rules without a host.
	Name   string  `json:"name"`
	Routes []Route `json:"routes"`
}

// Route is one path.
type Route struct {
	Ingress  string `json:"ingress,omitempty"`
	Field    string `json:"field,omitempty"`
	Path     string `json:"path,omitempty"`
	PathType string `json:"pathType,omitempty"`
	Service  string `json:"service"`
	// Closed says why the route answers 503 whatever is behind it.
	Closed string `json:"closed,omitempty"`
	Pool   *Pool  `json:"pool"`
}

// Pool is a Service port with its pods.
type Pool struct {
	Service string `json:"service"`
	// Reason says why there are no endpoints.
	Reason    string     `json:"reason,omitempty"`
	Endpoints []Endpoint `json:"endpoints"`
}

// Endpoint is one pod address with its figures.
type Endpoint struct {
	Address  string `json:"address"`
	Pod      string `json:"pod,omitempty"`
	Node     string `json:"node,omitempty"`
	InFlight int64  `json:"inFlight"`
	Requests uint64 `json:"requests"`
	Failures uint64 `json:"failures"`
	// Avoided says that it failed a moment ago and gets requests only if no other can.
	Avoided bool `json:"avoided,omitempty"`
}

// Problem is something wrong with an object.
type Problem struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Field     string `json:"field"`
	Code      string `json:"code"`
	Reason    string `json:"reason"`
}

// pools gives all pools with the live figures of their endpoints, in the order of the table.
func (s Source) pools(table *routing.Table) ([]*Pool, map[*routing.Pool]*Pool) {
	live := map[[2]string]*upstream.Endpoint{}
	for _, e := range s.Endpoints() {
		live[[2]string{e.Pool(), e.Address().String()}] = e
	}
	list := []*Pool{}
	byPool := map[*routing.Pool]*Pool{}
	for _, pool := range table.Pools() {
		view := &Pool{Service: pool.Key(), Reason: pool.Reason, Endpoints: []Endpoint{}}
		for _, endpoint := range pool.Endpoints {
			view.Endpoints = append(view.Endpoints, endpointView(endpoint, live[[2]string{pool.Key(), endpoint.Address.String()}]))
		}
		list = append(list, view)
		byPool[pool] = view
	}
	return list, byPool
}

// endpointView joins what the table knows with the live state, which is nil for an endpoint that was swapped out just now.
func endpointView(e routing.Endpoint, live *upstream.Endpoint) Endpoint {
	view := Endpoint{Address: e.Address.String(), Node: e.Node}
	if e.Pod.Name != "" {
		view.Pod = e.Pod.String()
	}
	if live != nil {
		view.InFlight, view.Requests, view.Failures = live.InFlight(), live.Requests(), live.Failures()
		view.Avoided = live.Avoided()
	}
	return view
}

// hosts gives the table as a reader thinks of it: by host, in the order in which paths are tried.
func (s Source) hosts() []Host {
	table := s.Table()
	_, pools := s.pools(table)
	list := []Host{}
	for _, route := range table.Routes() {
		if len(list) == 0 || list[len(list)-1].Name != route.Host {
			list = append(list, Host{Name: route.Host})
		}
		host := &list[len(list)-1]
		host.Routes = append(host.Routes, routeView(route, pools))
	}
	return list
}

func routeView(route *routing.Route, pools map[*routing.Pool]*Pool) Route {
	view := Route{
		Field:    route.Field,
		Path:     route.Path,
		PathType: string(route.PathType),
		Closed:   route.Closed,
		// A back-end that is not a Service has a pool of its own, which the table does not list.
		Pool: cmp.Or(pools[route.Pool], &Pool{Reason: route.Pool.Reason, Endpoints: []Endpoint{}}),
	}
	view.Service = view.Pool.Service
	if route.Ingress.Name != "" {
		view.Ingress = route.Ingress.String()
	}
	return view
}

func (s Source) problems() []Problem {
	list := []Problem{}
	for _, p := range s.Problems() {
		list = append(list, Problem{p.Object.Kind, p.Object.Namespace, p.Object.Name, p.Field, p.Code, p.Reason})
	}
	return list
}
