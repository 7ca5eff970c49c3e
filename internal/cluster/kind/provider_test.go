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

func TestUpCreatesOnceAndThenReuses(t *testing.T) {
	w := newWorld(t)
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

func TestUpReplacesWhatIsHalfCreated(t *testing.T) {
	for name, damage := range map[string]func(*world, *testing.T){
		"killed in the middle": func(w *world, t *testing.T) {
			rec, err := w.store.Load("lab")
			if err != nil {
				t.Fatal(err)
			}
			rec.Ready = time.Time{}
			if err := w.store.Save("lab", rec); err != nil {
				t.Fatal(err)
			}
		},
		"a node is gone":        func(w *world, _ *testing.T) { w.engine.containers = w.engine.containers[:2] },
		"all nodes are gone":    func(w *world, _ *testing.T) { w.engine.containers = nil },
		"a node is dead":        func(w *world, _ *testing.T) { w.engine.containers[1].state = "dead" },
		"the record is garbage": func(w *world, t *testing.T) { writeFile(t, w.store.RecordFile("lab"), "{") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustUp(t)
			damage(w, t)
			c := w.mustUp(t)
			if !c.Created || w.created != 2 || len(w.engine.containers) != 3 {
				t.Errorf("created %v, %d times, %d nodes; want a second cluster of 3", c.Created, w.created, len(w.engine.containers))
			}
			if !w.notes.contains(`note: cluster "lab" is half-created`) {
				t.Errorf("nothing was said: %q", w.notes.lines)
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

func TestUpReplacesAClusterWhoseAPIServerIsDead(t *testing.T) {
	w := newWorld(t)
	w.mustUp(t)
	w.sick = errors.New("connection refused")
	w.create = func(ctx context.Context, req request, p cluster.Progress) error {
		w.sick = nil
		return w.kindCreate(ctx, req, p)
	}
	if c := w.mustUp(t); !c.Created || !w.notes.contains("does not work (connection refused); starting over") {
		t.Errorf("created %v, said %q", c.Created, w.notes.lines)
	}
}

func TestUpStartsStoppedNodes(t *testing.T) {
	w := newWorld(t)
	w.mustUp(t)
	var waited map[string]time.Time
	w.waitWoken = func(_ context.Context, _ string, news map[string]time.Time) error {
		waited = news
		return nil
	}
	w.engine.containers[1].state, w.engine.containers[2].state = "exited", "exited"
	if c := w.mustUp(t); c.Created || strings.Join(w.engine.started, " ") != "lab-1 lab-2" {
		t.Errorf("created %v, started %v; want the 2 nodes started", c.Created, w.engine.started)
	}
	if len(waited) != 2 {
		t.Errorf("waited for news of %v, want those of the 2 nodes that were started", waited)
	}
}

// The engine's machine was restarted, and the engine has started the nodes
// itself: what the API server says is from before.
func TestUpWaitsForNodesThatTheEngineHasJustStarted(t *testing.T) {
	w := newWorld(t)
	w.mustUp(t)
	var waited map[string]time.Time
	w.waitWoken = func(_ context.Context, _ string, news map[string]time.Time) error {
		waited = news
		return nil
	}
	w.mustUp(t)
	if waited != nil {
		t.Error("waited although nothing was restarted")
	}
	w.engine.born = time.Now()
	w.mustUp(t)
	if len(waited) != 3 || !waited["lab-0"].Equal(w.engine.born) {
		t.Errorf("waited for %v, want all 3 nodes, since %v", waited, w.engine.born)
	}
	waited = nil
	w.mustUp(t)
	if waited != nil {
		t.Error("waited again although it has been Ready since")
	}
}

func TestUpRefusesAClusterThatDiffers(t *testing.T) {
	w := newWorld(t)
	w.mustUp(t)
	_, err := w.up(t, func(s *cluster.Spec) { s.Nodes = 1; s.HTTPPort = 1234 })
	var mismatch *cluster.MismatchError
	if !errors.As(err, &mismatch) || len(mismatch.Differences) != 2 {
		t.Fatalf("got %v, want a MismatchError about nodes and a port", err)
	}
	for _, want := range []string{"--nodes: has 3, asked for 1", "--http-port: has ", "--recreate"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %s", err, want)
		}
	}
	c, err := w.up(t, func(s *cluster.Spec) { s.Nodes = 1; s.Recreate = true })
	if err != nil || !c.Created || len(w.engine.containers) != 1 {
		t.Errorf("--recreate: %+v, %v, %d nodes; want a new one of 1 node", c, err, len(w.engine.containers))
	}
	if len(c.Capabilities.Lacks(cluster.Nodes)) == 0 {
		t.Error("a cluster of one node says that it has nodes")
	}
}

func TestUpLeavesOtherPeoplesClustersAlone(t *testing.T) {
	w := newWorld(t)
	w.engine.containers = []container{{name: "lab-control-plane", cluster: "lab", role: "control-plane", state: "running"}}
	w.engine.ports = map[int]int{6443: 40000}
	if _, err := w.up(t, nil); err == nil || !strings.Contains(err.Error(), "that ingresslab did not make") {
		t.Errorf("Up: got %v", err)
	}
	if err := w.Down(t.Context(), "lab", w.notes); err == nil {
		t.Error("Down removed somebody else's cluster")
	}
	if len(w.engine.containers) != 1 {
		t.Error("the cluster is gone")
	}
}

// A cluster of ours whose record is not there, because another user of the
// machine made it, is known by its ports.
func TestUpAdoptsAClusterWithoutARecord(t *testing.T) {
	w := newWorld(t)
	made := w.mustUp(t)
	if err := w.store.Forget("lab"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(w.store.ClusterDir("lab"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := w.mustUp(t)
	if c.Created || c.Addresses != made.Addresses {
		t.Errorf("got %+v, want the cluster at %+v", c, made.Addresses)
	}
}

func TestMergedKubeconfigComesAndGoes(t *testing.T) {
	user := t.TempDir() + "/config"
	writeFile(t, user, strings.ReplaceAll(testKubeconfig, "kind-lab", "work"))
	t.Setenv("KUBECONFIG", user)
	w := newWorld(t)
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
		t.Errorf("%d contexts after Down, want the user's own", got)
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

func TestNoEngine(t *testing.T) {
	w := newWorld(t)
	w.engine.down = &cluster.NoEngineError{Cause: errors.New("nobody home")}
	_, err := w.up(t, nil)
	var none *cluster.NoEngineError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), "make engine") {
		t.Errorf("got %v, want a NoEngineError that says what to do", err)
	}
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Errorf("Down of nothing without an engine: %v", err)
	}
}

func TestGetAndList(t *testing.T) {
	w := newWorld(t)
	var notFound *cluster.NotFoundError
	if _, err := w.Get(t.Context(), "lab"); !errors.As(err, &notFound) {
		t.Errorf("Get of nothing: %v", err)
	}
	w.mustUp(t)
	if c, err := w.Get(t.Context(), "lab"); err != nil || c.Created {
		t.Errorf("Get: %+v, %v", c, err)
	}
	w.sick = errors.New("connection refused")
	var broken *cluster.BrokenError
	if _, err := w.Get(t.Context(), "lab"); !errors.As(err, &broken) {
		t.Errorf("Get of a dead cluster: %v", err)
	}
	w.engine.containers = append(w.engine.containers, container{name: "x-control-plane", cluster: "x", role: "worker", state: "running"})
	list, err := w.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "lab" || list[0].State != cluster.Running || len(list[0].Nodes) != 3 {
		t.Errorf("List: %+v, %v; want lab, and not somebody else's x", list, err)
	}
}
