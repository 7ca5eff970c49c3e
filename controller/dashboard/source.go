package dashboard

import (
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Source is where the page gets its facts from. All functions are called for every request and must be quick.
type Source struct {
	Table     func() *routing.Table
	Problems  func() []routing.Problem
	Endpoints func() []*balancer.Endpoint
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
