//go:build e2e && linux

package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/nodeimage"
	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

// These tests start real control planes. INGRESSLAB_KUBE_BIN is the directory with the binaries.
// Without it, the tests use the cache.

func kubeBin(t *testing.T) controlplane.Binaries {
	t.Helper()
	options := nodeimage.Options{Source: "../../.."}
	_, present, err := nodeimage.ControlPlanePresent(options)
	if err != nil {
		t.Fatal(err)
	}
	if !present {
		nstest.SkipOrFail(t, "the control plane is not compiled; run `ingresslab build control-plane`")
	}
	programs, err := nodeimage.ControlPlane(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return controlplane.Binaries{Dir: programs.Dir, Version: programs.KubernetesVersion}
}

// newProvider returns a Provider with its own state directory, and removes its clusters after the
// test.
func newProvider(t *testing.T, names ...string) *provider {
	t.Helper()
	p := New(Options{StateDir: filepath.Join(t.TempDir(), "state"), Binaries: programsIn(kubeBin(t))})
	if err := checkMachine(); err != nil {
		nstest.SkipOrFail(t, err.Error())
	}
	t.Cleanup(func() {
		for _, name := range append(names, "test") {
			if err := p.Down(context.WithoutCancel(t.Context()), name, cluster.Quiet{}); err != nil {
				t.Error(err)
			}
		}
	})
	return p
}

func up(t *testing.T, p *provider, spec cluster.Spec) *cluster.Cluster {
	t.Helper()
	c, err := p.Up(t.Context(), spec, logged{t: t})
	if err == nil {
		err = p.Keep(t.Context(), c.Name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// logged is a Progress that calls a function at the start of each step.
type logged struct {
	t    *testing.T
	step func(text string)
}

func (l logged) Step(text string) func(error) {
	l.t.Log(text)
	if l.step != nil {
		l.step(text)
	}
	return func(err error) { l.t.Log(text, "ended:", err) }
}

func (l logged) Note(text string) { l.t.Log("note:", text) }

func clientOf(t *testing.T, c *cluster.Cluster) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func supervisorOf(t *testing.T, p *provider, name string) process {
	t.Helper()
	rec, err := p.Load(name)
	if err != nil || rec == nil {
		t.Fatalf("record: %v, %v", rec, err)
	}
	return rec.Supervisor
}

func portsOf(t *testing.T, p *provider, name string) []int {
	t.Helper()
	rec, err := p.Load(name)
	if err != nil || rec == nil {
		t.Fatalf("record: %v, %v", rec, err)
	}
	return []int{rec.APIPort, rec.HTTPPort, rec.HTTPSPort, rec.StatusPort}
}

func TestClusterLifecycle(t *testing.T) {
	p := newProvider(t)
	spec := smallSpec("test")
	spec.Nodes = 3
	made := up(t, p, spec)
	if !made.Created {
		t.Error("Created is false for a new cluster")
	}
	nodes, err := clientOf(t, made).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 3 {
		t.Errorf("nodes: %v, %v; want 3", nodes, err)
	}
	note := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "note"}}
	if _, err := clientOf(t, made).CoreV1().ConfigMaps("default").Create(t.Context(), note, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	if again := up(t, p, spec); again.Created || again.Addresses != made.Addresses {
		t.Errorf("second Up: %+v; want the same cluster, not Created", again)
	}
	var mismatch *cluster.MismatchError
	if _, err := p.Up(t.Context(), smallSpec("test"), logged{t: t}); !errors.As(err, &mismatch) {
		t.Errorf("Up with one node: %v; want a *MismatchError", err)
	}
	ports := portsOf(t, p, "test")
	testKilledSupervisor(t, p, spec, made)
	logs := t.TempDir()
	if err := p.Logs(t.Context(), "test", logs); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"supervisor.log", "etcd.log", "kube-apiserver.log", "kube-apiserver.previous.log"} {
		if _, err := os.Stat(filepath.Join(logs, name)); err != nil {
			t.Error(err)
		}
	}
	if err := p.Down(t.Context(), "test", logged{t: t}); err != nil {
		t.Error(err)
	}
	assertNothingLeft(t, p.Dir, ports...)
}

// testKilledSupervisor imitates a reboot: only the data remains, and Up restarts the same cluster
// from it.
func testKilledSupervisor(t *testing.T, p *provider, spec cluster.Spec, made *cluster.Cluster) {
	t.Helper()
	if err := supervisorOf(t, p, "test").end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := processesOf(p.Dir); len(left) > 0 {
		t.Errorf("processes outlive their supervisor: %v", left)
	}
	var broken *cluster.BrokenError
	if _, err := p.Get(t.Context(), "test"); !errors.As(err, &broken) {
		t.Errorf("Get without a supervisor: %v; want a *BrokenError", err)
	}
	list, err := p.List(t.Context())
	if err != nil || len(list) != 1 || list[0].State != cluster.Stopped {
		t.Errorf("List without a supervisor: %+v, %v; want one that is stopped", list, err)
	}
	revived := up(t, p, spec)
	if revived.Created || revived.Addresses != made.Addresses || revived.Config.Host != made.Config.Host {
		t.Errorf("Up after the supervisor was killed: %+v; want the same cluster at the same ports", revived)
	}
	if _, err := clientOf(t, revived).CoreV1().ConfigMaps("default").Get(t.Context(), "note", metav1.GetOptions{}); err != nil {
		t.Errorf("its data: %v", err)
	}
	if _, err := p.Get(t.Context(), "test"); err != nil {
		t.Error(err)
	}
}

func TestTwoClustersRunIndependently(t *testing.T) {
	p := newProvider(t, "one", "two")
	var both sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		both.Go(func() {
			if _, err := p.Up(t.Context(), smallSpec(name), logged{t: t}); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if err := p.Keep(t.Context(), name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	both.Wait()
	if t.Failed() {
		return
	}
	if err := p.Down(t.Context(), "one", cluster.Quiet{}); err != nil {
		t.Error(err)
	}
	c, err := p.Get(t.Context(), "two")
	if err != nil {
		t.Fatalf("after Down of the other cluster: %v", err)
	}
	if _, err := clientOf(t, c).CoreV1().Nodes().Get(t.Context(), "two-control-plane", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// moments are when to interrupt the creation of a cluster.
var moments = []struct {
	step  string
	after time.Duration
}{
	{"Starting the control plane", 0},
	{"Starting the control plane", 300 * time.Millisecond},
	{"Starting the control plane", 1500 * time.Millisecond},
	{"Starting the nodes", 0},
	{"Starting the nodes", 150 * time.Millisecond},
}

func TestCancelLeavesNothing(t *testing.T) {
	for _, moment := range moments {
		t.Run(moment.step+"+"+moment.after.String(), func(t *testing.T) {
			p := newProvider(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := p.Up(ctx, smallSpec("test"), logged{t, func(text string) {
				if strings.HasPrefix(text, moment.step) {
					time.AfterFunc(moment.after, cancel)
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			assertNothingLeft(t, p.Dir)
		})
	}
}

func TestUpReportsDamagedData(t *testing.T) {
	p := newProvider(t)
	up(t, p, smallSpec("test"))
	if err := supervisorOf(t, p, "test").end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(p.ClusterDir("test"), "etcd", "member", "snap", "db"), 5000); err != nil {
		t.Fatal(err)
	}
	var damaged *cluster.DamagedError
	_, err := p.Up(t.Context(), smallSpec("test"), logged{t: t})
	if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "etcd") || !strings.Contains(err.Error(), "--recreate") {
		t.Errorf("got %v; want a *DamagedError that names etcd and --recreate", err)
	}
	t.Log(err)
	spec := smallSpec("test")
	spec.Recreate = true
	if c := up(t, p, spec); !c.Created {
		t.Error("--recreate created no new cluster")
	}
}
