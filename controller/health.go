package controller

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/dashboard"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// stuckAfter is the time without a heartbeat after which the loop counts as stuck. Even for ten
// thousand Ingresses, the loop builds a table in less than a second.
const stuckAfter = 30 * time.Second

// health is the state of the controller for probes and the status page.
type health struct {
	mu          sync.Mutex
	alive       time.Time // last heartbeat of the loop; zero before it runs
	live        time.Time // when the current table was loaded; zero before the first one
	problems    []routing.Problem
	classes     []*networkingv1.IngressClass // ours
	stopping    bool
	watchErrors map[string]dashboard.WatchError
}

func (h *health) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alive = time.Now()
}

func (h *health) built(problems []routing.Problem, classes []*networkingv1.IngressClass) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alive = time.Now()
	h.live, h.problems, h.classes = h.alive, problems, classes
}

func (h *health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopping = true
}

// watchErrorFor is how long a watch error is shown. A lasting error is reported again earlier.
const watchErrorFor = 2 * time.Minute

func (h *health) watchFailed(resource string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchErrors == nil {
		h.watchErrors = map[string]dashboard.WatchError{}
	}
	h.watchErrors[resource] = dashboard.WatchError{Time: time.Now(), Message: err.Error()}
}

// healthy is the liveness probe. It fails if the loop is stuck, but not if the API server is
// unavailable, because a restart would not help.
func (h *health) healthy() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if silence := time.Since(h.alive); !h.alive.IsZero() && silence > stuckAfter {
		return fmt.Errorf("the loop that builds tables has not run for %s; restart the controller", silence.Round(time.Second))
	}
	return nil
}

// ready is the readiness probe. It fails before the first table, and while the controller stops.
func (h *health) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopping:
		return fmt.Errorf("stopping")
	case h.live.IsZero():
		return fmt.Errorf("no table yet: waiting for the API server")
	}
	return nil
}

// probe returns the HTTP handler for one of these checks.
func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok") // the kubelet has disconnected
	}
}

func (h *health) currentProblems() []routing.Problem {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problems
}
