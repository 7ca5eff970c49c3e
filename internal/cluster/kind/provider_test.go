package kind

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

func TestUpReusesCluster(t *testing.T) {
	w := newFixture(t)
	first, second := w.mustUp(t), w.mustUp(t)
	if !first.Created || second.Created || w.created != 1 {
		t.Errorf("created: first %v, second %v, %d times", first.Created, second.Created, w.created)
	}
	if first.Addresses != second.Addresses || first.Addresses.HTTP == first.Addresses.Status {
		t.Errorf("addresses %+v, then %+v", first.Addresses, second.Addresses)
	}
	if len(w.engine.containers) != cluster.DefaultNodes {
		t.Errorf("%d nodes, want %d", len(w.engine.containers), cluster.DefaultNodes)
	}
	if info, err := os.Stat(first.Kubeconfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kubeconfig: %v, %v; want mode 0600", info.Mode(), err)
	}
}

func TestUpReplacesHalfCreatedCluster(t *testing.T) {
	for name, damage := range map[string]func(*fixture, *testing.T){
		"interrupted creation": func(w *fixture, t *testing.T) {
			rec, err := w.Load("lab")
			if err != nil {
				t.Fatal(err)
			}
			rec.Ready = time.Time{}
			if err := w.Save("lab", rec); err != nil {
				t.Fatal(err)
			}
		},
		"missing node":      func(w *fixture, _ *testing.T) { w.engine.containers = w.engine.containers[:2] },
		"all nodes missing": func(w *fixture, _ *testing.T) { w.engine.containers = nil },
		"dead node":         func(w *fixture, _ *testing.T) { w.engine.containers[1].state = "dead" },
		"unreadable record": func(w *fixture, t *testing.T) { writeFile(t, w.RecordFile("lab"), "{") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			w.mustUp(t)
			damage(w, t)
			c := w.mustUp(t)
			if !c.Created || w.created != 2 || len(w.engine.containers) != 3 {
				t.Errorf("created %v, %d times, %d nodes; want a second cluster of 3", c.Created, w.created, len(w.engine.containers))
			}
			if !w.notes.contains(`note: cluster "lab" is half-created`) {
				t.Errorf("progress %q", w.notes.lines)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUpReplacesClusterWithoutAPIServer(t *testing.T) {
	w := newFixture(t)
	w.mustUp(t)
	w.sick = errors.New("connection refused")
	w.create = func(ctx context.Context, req request, p cluster.Progress) error {
		w.sick = nil
		return w.kindCreate(ctx, req, p)
	}
	if c := w.mustUp(t); !c.Created || !w.notes.contains("does not work (connection refused); starting over") {
		t.Errorf("created %v, progress %q", c.Created, w.notes.lines)
	}
}

func TestUpStartsStoppedNodes(t *testing.T) {
	w := newFixture(t)
	w.mustUp(t)
	var waited map[string]time.Time
	w.waitRestarted = func(_ context.Context, _ string, started map[string]time.Time) error {
		waited = started
		return nil
	}
	w.engine.containers[1].state, w.engine.containers[2].state = "exited", "exited"
	if c := w.mustUp(t); c.Created || strings.Join(w.engine.started, " ") != "lab-1 lab-2" {
		t.Errorf("created %v, started %v; want the 2 nodes started", c.Created, w.engine.started)
	}
	if len(waited) != 2 {
		t.Errorf("waited for %v, want the 2 started nodes", waited)
	}
}

// After a reboot, the engine starts the nodes itself, and the API server's status is outdated.
func TestUpWaitsForJustStartedNodes(t *testing.T) {
	w := newFixture(t)
	w.mustUp(t)
	var waited map[string]time.Time
	w.waitRestarted = func(_ context.Context, _ string, started map[string]time.Time) error {
		waited = started
		return nil
	}
	w.mustUp(t)
	if waited != nil {
		t.Error("waited without a restart")
	}
	w.engine.startTime = time.Now()
	w.mustUp(t)
	if len(waited) != 3 || !waited["lab-0"].Equal(w.engine.startTime) {
		t.Errorf("waited for %v, want all 3 nodes, since %v", waited, w.engine.startTime)
	}
	waited = nil
	w.mustUp(t)
	if waited != nil {
		t.Error("waited again for a Ready cluster")
	}
}

func TestUpRefusesOtherSettings(t *testing.T) {
	w := newFixture(t)
	w.mustUp(t)
	_, err := w.up(t, func(s *cluster.Spec) { s.Nodes = 1; s.HTTPPort = 1234 })
	var mismatch *cluster.MismatchError
	if !errors.As(err, &mismatch) || len(mismatch.Differences) != 2 {
		t.Fatalf("got %v, want a MismatchError about nodes and a port", err)
	}
	for _, want := range []string{"--nodes: has 3, want 1", "--http-port: has ", "--recreate"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not contain %s", err, want)
		}
	}
	c, err := w.up(t, func(s *cluster.Spec) { s.Nodes = 1; s.Recreate = true })
	if err != nil || !c.Created || len(w.engine.containers) != 1 {
		t.Errorf("--recreate: %+v, %v, %d nodes; want a new one of 1 node", c, err, len(w.engine.containers))
	}
	if len(c.Missing.Lacks(cluster.Nodes)) == 0 {
		t.Error("a cluster of one node supports the capability nodes")
	}
}

func TestUpKeepsForeignCluster(t *testing.T) {
	w := newFixture(t)
	w.engine.containers = []container{{name: "lab-control-plane", cluster: "lab", role: "control-plane", state: "running"}}
	w.engine.ports = map[int]int{6443: 40000}
	if _, err := w.up(t, nil); err == nil || !strings.Contains(err.Error(), "was not created by ingresslab") {
		t.Errorf("Up: got %v", err)
	}
	if err := w.Down(t.Context(), "lab", w.notes); err == nil {
		t.Error("Down removed a foreign cluster")
	}
	if len(w.engine.containers) != 1 {
		t.Error("the foreign cluster is missing")
	}
}

// Another user of the machine created the cluster, so it has no record. Its ports identify it.
func TestUpAdoptsClusterWithoutRecord(t *testing.T) {
	w := newFixture(t)
	made := w.mustUp(t)
	if err := w.Forget("lab"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(w.ClusterDir("lab"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := w.mustUp(t)
	if c.Created || c.Addresses != made.Addresses {
		t.Errorf("got %+v, want the cluster at %+v", c, made.Addresses)
	}
}

func TestDownRemovesMergedContext(t *testing.T) {
	user := t.TempDir() + "/config"
	writeFile(t, user, strings.ReplaceAll(testKubeconfig, "kind-lab", "work"))
	t.Setenv("KUBECONFIG", user)
	w := newFixture(t)
	w.exportKubeconfig = func(_, path string) error {
		cfg, err := clientcmd.LoadFromFile(path)
		if err != nil {
			return err
		}
		more, err := clientcmd.Load([]byte(testKubeconfig))
		if err != nil {
			return err
		}
		cfg.Contexts["kind-lab"], cfg.Clusters["kind-lab"], cfg.AuthInfos["kind-lab"] =
			more.Contexts["kind-lab"], more.Clusters["kind-lab"], more.AuthInfos["kind-lab"]
		return clientcmd.WriteToFile(*cfg, path)
	}
	if _, err := w.up(t, func(s *cluster.Spec) { s.MergeKubeconfig = true }); err != nil {
		t.Fatal(err)
	}
	if got := contexts(t, user); got != 2 {
		t.Errorf("%d contexts after Up, want 2", got)
	}
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	if got := contexts(t, user); got != 1 {
		t.Errorf("%d contexts after Down, want only the user's own", got)
	}
}

func contexts(t *testing.T, path string) int {
	t.Helper()
	cfg, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return len(cfg.Contexts)
}

func TestUpWithoutEngine(t *testing.T) {
	w := newFixture(t)
	w.engine.down = &cluster.NoEngineError{Cause: errors.New("connection refused")}
	_, err := w.up(t, nil)
	var none *cluster.NoEngineError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), "make engine") {
		t.Errorf("got %v, want a NoEngineError with a fix", err)
	}
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Errorf("Down without cluster and engine: %v", err)
	}
}

func TestGetAndList(t *testing.T) {
	w := newFixture(t)
	var notFound *cluster.NotFoundError
	if _, err := w.Get(t.Context(), "lab"); !errors.As(err, &notFound) {
		t.Errorf("Get without cluster: %v", err)
	}
	w.mustUp(t)
	if c, err := w.Get(t.Context(), "lab"); err != nil || c.Created {
		t.Errorf("Get: %+v, %v", c, err)
	}
	w.sick = errors.New("connection refused")
	var broken *cluster.BrokenError
	if _, err := w.Get(t.Context(), "lab"); !errors.As(err, &broken) {
		t.Errorf("Get of a broken cluster: %v", err)
	}
	w.engine.containers = append(w.engine.containers, container{name: "x-control-plane", cluster: "x", role: "worker", state: "running"})
	list, err := w.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "lab" || list[0].State != cluster.Running || len(list[0].Nodes) != 3 {
		t.Errorf("List: %+v, %v; want lab, and not the foreign cluster x", list, err)
	}
}
