package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// fakeEngine is Docker as far as the provider sees it.
type fakeEngine struct {
	down       error // what check returns
	containers []container
	ports      map[int]int // published by the control plane
	networks   []string
	started    []string
	// lateCreation appears after the first removal, as a container does whose
	// `docker run` was killed.
	lateCreation *container
	// born is when the containers were started.
	born time.Time
}

func (e *fakeEngine) check(context.Context) error            { return e.down }
func (e *fakeEngine) cgroupV1(context.Context) (bool, error) { return false, nil }

func (e *fakeEngine) nodes(_ context.Context, name string) ([]container, error) {
	var found []container
	for _, c := range e.containers {
		if c.cluster != "" && (name == "" || c.cluster == name) {
			found = append(found, c)
		}
	}
	return found, nil
}

func (e *fakeEngine) publisher(_ context.Context, port int) (container, bool, error) {
	for _, p := range e.ports {
		if p == port {
			return e.containers[0], true, nil
		}
	}
	return container{}, false, nil
}

func (e *fakeEngine) published(context.Context, string) (map[int]int, error) { return e.ports, nil }

func (e *fakeEngine) startedAt(_ context.Context, names ...string) (map[string]time.Time, error) {
	started := map[string]time.Time{}
	for _, n := range names {
		started[n] = e.born
	}
	return started, nil
}

func (e *fakeEngine) start(_ context.Context, names ...string) error {
	e.started = append(e.started, names...)
	for i := range e.containers {
		if slices.Contains(names, e.containers[i].name) {
			e.containers[i].state = "running"
		}
	}
	return nil
}

func (e *fakeEngine) remove(_ context.Context, names ...string) error {
	e.containers = slices.DeleteFunc(e.containers, func(c container) bool { return slices.Contains(names, c.name) })
	if e.lateCreation != nil {
		e.containers = append(e.containers, *e.lateCreation)
		e.lateCreation = nil
	}
	return nil
}

func (e *fakeEngine) network(_ context.Context, name string) (bool, int, error) {
	return slices.Contains(e.networks, name), len(e.containers), nil
}

func (e *fakeEngine) removeNetwork(_ context.Context, name string) error {
	e.networks = slices.DeleteFunc(e.networks, func(n string) bool { return n == name })
	return nil
}

// notes is a Progress that remembers.
type notes struct{ lines []string }

func (n *notes) Step(text string) func(error) {
	n.lines = append(n.lines, text)
	return func(error) {}
}
func (n *notes) Note(text string) { n.lines = append(n.lines, "note: "+text) }
func (n *notes) contains(text string) bool {
	return strings.Contains(strings.Join(n.lines, "\n"), text)
}

// world is a provider on a fake engine, with a fake kind.
type world struct {
	*Provider
	engine  *fakeEngine
	notes   *notes
	created int
	// broken is what the next creation fails with, after it made its nodes.
	broken error
	// sick is what the API server answers.
	sick error
}

func newWorld(t *testing.T) *world {
	w := &world{engine: &fakeEngine{}, notes: &notes{}}
	p := &Provider{
		store:     newStore(filepath.Join(t.TempDir(), "state")),
		engine:    w.engine,
		settle:    time.Microsecond,
		nodeImage: func(context.Context, cluster.Progress) (string, error) { return "node:1", nil },
		create:    w.kindCreate,
		exportKubeconfig: func(_, path string) error {
			return os.WriteFile(path, []byte(testKubeconfig), 0o644)
		},
		alive:       func(context.Context, string, int) error { return w.sick },
		waitNodes:   func(context.Context, string, int) error { return w.sick },
		waitDNS:     func(context.Context, string) error { return w.sick },
		waitWoken:   func(context.Context, string, map[string]time.Time) error { return nil },
		raiseLimits: func() string { return "" },
	}
	w.Provider = p
	return w
}

const testKubeconfig = `apiVersion: v1
kind: Config
current-context: kind-lab
clusters: [{name: kind-lab, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: kind-lab, context: {cluster: kind-lab, user: kind-lab}}]
users: [{name: kind-lab, user: {token: secret}}]
`

// kindCreate makes the containers of a request, as kind would.
func (w *world) kindCreate(_ context.Context, req request, _ cluster.Progress) error {
	w.created++
	if !slices.Contains(w.engine.networks, network) {
		w.engine.networks = append(w.engine.networks, network)
	}
	w.engine.ports = map[int]int{}
	for _, m := range req.Config.Nodes[0].ExtraPortMappings {
		w.engine.ports[int(m.ContainerPort)] = int(m.HostPort)
	}
	for i, n := range req.Config.Nodes {
		w.engine.containers = append(w.engine.containers, container{
			name: fmt.Sprintf("%s-%d", req.Name, i), cluster: req.Name, role: string(n.Role), state: "running",
		})
	}
	if w.broken != nil {
		return w.broken
	}
	return os.WriteFile(req.Kubeconfig, []byte(testKubeconfig), 0o600)
}

// up brings up the cluster "lab" on free ports.
func (w *world) up(t *testing.T, change func(*cluster.Spec)) (*cluster.Cluster, error) {
	t.Helper()
	spec := cluster.Spec{Name: "lab", HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort}
	if change != nil {
		change(&spec)
	}
	return w.Up(t.Context(), spec, w.notes)
}

func (w *world) mustUp(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := w.up(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// assertGone checks that nothing is left of any cluster.
func (w *world) assertGone(t *testing.T) {
	t.Helper()
	if len(w.engine.containers) > 0 || len(w.engine.networks) > 0 {
		t.Errorf("left in the engine: %v, networks %v", w.engine.containers, w.engine.networks)
	}
	entries, err := os.ReadDir(w.store.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left on disk: %s", e.Name())
	}
}
