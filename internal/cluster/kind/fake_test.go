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

// fakeEngine replaces Docker.
type fakeEngine struct {
	down       error // what check returns
	containers []container
	ports      map[int]int // published by the control plane
	networks   []string
	started    []string
	// lateCreation appears after the first removal, like the container of a killed `docker run`.
	lateCreation *container
	// startTime is the start time of all containers.
	startTime time.Time
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
		started[n] = e.startTime
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

// notes is a Progress that records.
type notes struct{ lines []string }

func (n *notes) Step(text string) func(error) {
	n.lines = append(n.lines, text)
	return func(error) {}
}
func (n *notes) Note(text string) { n.lines = append(n.lines, "note: "+text) }
func (n *notes) contains(text string) bool {
	return strings.Contains(strings.Join(n.lines, "\n"), text)
}

// fixture is a provider with a fake engine and a fake kind.
type fixture struct {
	*provider
	engine  *fakeEngine
	notes   *notes
	created int
	// broken is the error of the next creation, after it created nodes.
	broken error
	// sick is the error of the API server.
	sick error
}

func newFixture(t *testing.T) *fixture {
	w := &fixture{engine: &fakeEngine{}, notes: &notes{}}
	p := &provider{
		engine:  w.engine,
		settle:  time.Microsecond,
		options: Options{NodeImage: func(context.Context, cluster.Progress) (string, error) { return "node:1", nil }},
		create:  w.kindCreate,
		exportKubeconfig: func(_, path string) error {
			return os.WriteFile(path, []byte(testKubeconfig), 0o644)
		},
		waitNodes:     func(context.Context, string, int) error { return w.sick },
		waitDNS:       func(context.Context, string) error { return w.sick },
		waitRestarted: func(context.Context, string, map[string]time.Time) error { return nil },
		raiseLimits:   func() string { return "" },
	}
	dir := filepath.Join(t.TempDir(), "state")
	p.Lifecycle = cluster.NewLifecycle[cluster.Record, *cluster.Record](Name, dir, p)
	p.Alive = func(context.Context, string, int) error { return w.sick }
	w.provider = p
	return w
}

const testKubeconfig = `apiVersion: v1
kind: Config
current-context: kind-lab
clusters: [{name: kind-lab, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: kind-lab, context: {cluster: kind-lab, user: kind-lab}}]
users: [{name: kind-lab, user: {token: secret}}]
`

// kindCreate creates the containers of a request, like kind.
func (w *fixture) kindCreate(_ context.Context, req request, _ cluster.Progress) error {
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
func (w *fixture) up(t *testing.T, change func(*cluster.Spec)) (*cluster.Cluster, error) {
	t.Helper()
	spec := cluster.Spec{Name: "lab", HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort}
	if change != nil {
		change(&spec)
	}
	return w.Up(t.Context(), spec, w.notes)
}

func (w *fixture) mustUp(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := w.up(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// assertGone checks that no cluster has left a trace.
func (w *fixture) assertGone(t *testing.T) {
	t.Helper()
	if len(w.engine.containers) > 0 || len(w.engine.networks) > 0 {
		t.Errorf("remaining containers %v, networks %v", w.engine.containers, w.engine.networks)
	}
	entries, err := os.ReadDir(w.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("remaining file: %s", e.Name())
	}
}
