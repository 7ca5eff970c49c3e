package embedded

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

func idle(t *testing.T) *provider {
	t.Helper()
	return New(Options{StateDir: filepath.Join(t.TempDir(), "state")})
}

func TestJudge(t *testing.T) {
	finished := &record{Record: cluster.Record{Nodes: 1, Ready: time.Now()}}
	for name, c := range map[string]struct {
		record *record
		runs   bool
		want   cluster.State
	}{
		"absent":             {nil, false, cluster.Absent},
		"unfinished":         {&record{}, false, cluster.HalfCreated},
		"in creation":        {&record{}, true, cluster.HalfCreated},
		"without supervisor": {finished, false, cluster.Stopped},
		"running":            {finished, true, cluster.Running},
	} {
		got := judge("test", c.record, c.runs)
		if got.State != c.want || (got.Why == "") != (c.want == cluster.Running || c.want == cluster.Absent) {
			t.Errorf("%s: got %s (%q), want %s", name, got.State, got.Why, c.want)
		}
	}
}

func TestProcessIdentityOutlivesPID(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	it, err := identify(cmd.Process.Pid)
	if err != nil || !it.runs() {
		t.Fatalf("%+v, %v; want a running process", it, err)
	}
	for name, other := range map[string]process{
		"other start time": {it.PID, it.Started + 1, it.Boot},
		"other boot":       {it.PID, it.Started, "another"},
		"zero":             {},
	} {
		if other.runs() {
			t.Errorf("%s: runs returned true", name)
		}
		if err := other.end(t.Context()); err != nil || !it.runs() {
			t.Errorf("%s: %v; want no effect", name, err)
		}
	}
	if err := it.end(t.Context()); err != nil || it.runs() {
		t.Errorf("end: %v; runs: %v", err, it.runs())
	}
}

func TestPorts(t *testing.T) {
	l, err := cluster.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p, rec := idle(t), &record{}
	var inUse *cluster.PortInUseError
	requested := cluster.Spec{HTTPSPort: cluster.PortOf(l), HTTPPort: cluster.AnyPort, StatusPort: cluster.AnyPort}
	_, err = p.open(t.Context(), requested, rec, cluster.Quiet{})
	if !errors.As(err, &inUse) || inUse.Port != cluster.PortOf(l) || inUse.Flag != "--https-port" {
		t.Errorf("requested port in use: %v; want a *PortInUseError", err)
	}
	free := cluster.Spec{HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort}
	d, err := p.open(t.Context(), free, rec, cluster.Quiet{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if other, err := cluster.Listen(t.Context(), rec.HTTPPort); err == nil {
		_ = other.Close()
		t.Error("the chosen port is not open")
	}
}

func TestUnsupportedSpecAndMissingCluster(t *testing.T) {
	p := idle(t)
	var spec *cluster.SpecError
	if _, err := p.Up(t.Context(), cluster.Spec{NodeImage: "x:1"}, cluster.Quiet{}); !errors.As(err, &spec) {
		t.Errorf("--node-image: %v; want a *SpecError", err)
	}
	var none *cluster.NotFoundError
	if _, err := p.Get(t.Context(), "nothing"); !errors.As(err, &none) {
		t.Errorf("Get: %v; want a *NotFoundError", err)
	}
	if err := p.Down(t.Context(), "nothing", cluster.Quiet{}); err != nil {
		t.Errorf("Down without cluster: %v", err)
	}
	if left, err := os.ReadDir(p.Dir); err != nil || len(left) > 0 {
		t.Errorf("remaining files: %v, %v", left, err)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	p := idle(t)
	if err := checkMachine(); err != nil {
		nstest.SkipOrFail(t, err.Error())
	}
	p.options.Binaries = programsIn(controlplane.Binaries{Dir: t.TempDir()}) // an empty directory
	_, err := p.Up(t.Context(), smallSpec("test"), cluster.Quiet{})
	if err == nil || !strings.Contains(err.Error(), "etcd") && !strings.Contains(err.Error(), "kube-apiserver") {
		t.Errorf("got %v; want an error that names a binary", err)
	}
	if _, err := os.Stat(p.ClusterDir("test")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory of the cluster: %v; want it removed", err)
	}
}
