package dashboard

import (
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Source has functions for the data of the page. Each request calls all of them, so make them fast.
type Source struct {
	Table     func() *routing.Table
	Problems  func() []routing.Problem
	Endpoints func() []*balancer.Endpoint
	Traffic   func() Traffic
	State     func() State
}

// Traffic has the numbers that nginx's stub_status module reports
// (https://nginx.org/en/docs/http/ngx_http_stub_status_module.html).
type Traffic struct {
	// Active connections are Reading a header, Writing a response, or Waiting for a request.
	Active, Reading, Writing, Waiting int64
	// Accepted and Handled count connections since the start. Requests counts requests.
	Accepted, Handled, Requests uint64
}

// State is the state of the controller.
type State struct {
	Identity        string `json:"identity"`
	ControllerClass string `json:"controllerClass"`
	// Classes are our IngressClasses, sorted. DefaultClass is the class that the API server sets
	// for Ingresses without a class.
	Classes      []string  `json:"classes"`
	DefaultClass string    `json:"defaultClass,omitempty"`
	Started      time.Time `json:"started"`
	// Built is the time at which the current table was loaded. It is zero before the first one.
	Built time.Time `json:"built"`
	// Leading is set if this replica writes status and Events.
	Leading bool `json:"leading"`
	// Stopping is set after the stop signal.
	Stopping bool `json:"stopping"`
	// WatchErrors has the latest watch failure for each resource.
	WatchErrors map[string]WatchError `json:"watchErrors,omitempty"`
}

// WatchError is a failed list or watch.
type WatchError struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}
