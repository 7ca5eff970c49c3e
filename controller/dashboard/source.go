package dashboard

import (
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Source provides the data of the page. Each request calls all functions, so they must be fast.
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

// State is that of the controller.
type State struct {
	Identity        string `json:"identity"`
	ControllerClass string `json:"controllerClass"`
	// Classes are our IngressClasses, sorted. DefaultClass is the one that Ingresses without a
	// class get.
	Classes      []string  `json:"classes"`
	DefaultClass string    `json:"defaultClass,omitempty"`
	Started      time.Time `json:"started"`
	// Built is when the current table went live; zero: there is none yet.
	Built time.Time `json:"built"`
	// Leading is set if this replica writes status and Events.
	Leading bool `json:"leading"`
	// Stopping is set after the signal to stop.
	Stopping bool `json:"stopping"`
	// WatchErrors has the latest watch failure for each resource.
	WatchErrors map[string]WatchError `json:"watchErrors,omitempty"`
}

// WatchError is one failure of a list or watch.
type WatchError struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}
