package controller

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/dashboard"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// stuckAfter is the silence of the loop after which something is wrong with it. A table of ten thousand Ingresses takes
// less than a second.
const stuckAfter = 30 * time.Second

// health is what probes and the status page are told about the controller itself.
type health struct {
	mu          sync.Mutex
	alive       time.Time // last sign of the loop; zero before it runs
	live        time.Time // when the current table went live; zero before the first one
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

// watchErrorFor is how long a failure to watch is shown; informers that keep failing report again more often.
const watchErrorFor = 2 * time.Minute

func (h *health) watchFailed(resource string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchErrors == nil {
		h.watchErrors = map[string]dashboard.WatchError{}
	}
	h.watchErrors[resource] = dashboard.WatchError{Time: time.Now(), Message: err.Error()}
}

// healthy is the liveness probe: the loop runs. A cluster whose API server is away is no reason to restart.
func (h *health) healthy() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if silence := time.Since(h.alive); !h.alive.IsZero() && silence > stuckAfter {
		return fmt.Errorf("the loop gave no sign for %s", silence.Round(time.Second))
	}
	return nil
}

// ready is the readiness probe: there is a table, and we are not leaving.
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

// probe serves one of the checks above.
func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok") // the kubelet left
	}
}

func (h *health) currentProblems() []routing.Problem {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problems
}

// state is the controller's own part of the status page.
func (h *health) state(s dashboard.State) dashboard.State {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Built, s.Stopping = h.live, h.stopping
	s.Classes = []string{}
	for _, class := range h.classes {
		s.Classes = append(s.Classes, class.Name)
		if class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
			s.DefaultClass = class.Name
		}
	}
	slices.Sort(s.Classes)
	maps.DeleteFunc(h.watchErrors, func(_ string, e dashboard.WatchError) bool { return time.Since(e.Time) > watchErrorFor })
	s.WatchErrors = maps.Clone(h.watchErrors)
	return s
}
