package embedded

import (
	"errors"
	"net"
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

func idle(t *testing.T) *Provider {
	t.Helper()
	p, err := New(Options{StateDir: filepath.Join(t.TempDir(), "state")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestJudge(t *testing.T) {
	done := &record{Nodes: 1, Ready: time.Now()}
	for name, c := range map[string]struct {
		record *record
		runs   bool
		want   cluster.State
	}{
		"nothing":                {nil, false, cluster.Absent},
		"never finished":         {&record{}, false, cluster.HalfCreated},
		"about to be":            {&record{}, true, cluster.HalfCreated},
		"without its supervisor": {done, false, cluster.Stopped},
		"as it should be":        {done, true, cluster.Running},
	} {
		if got := judge(c.record, c.runs); got.state != c.want || (got.why == "") != (c.want == cluster.Running || c.want == cluster.Absent) {
			t.Errorf("%s: got %s (%q), want %s", name, got.state, got.why, c.want)
		}
	}
}

func TestAProcessIsKnownByMoreThanItsNumber(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	it, err := identify(cmd.Process.Pid)
	if err != nil || !it.runs() {
		t.Fatalf("%+v, %v; want a process that runs", it, err)
	}
	for name, other := range map[string]process{
		"another time":  {it.PID, it.Started + 1, it.Boot},
		"another start": {it.PID, it.Started, "another"},
		"none":          {},
	} {
		if other.runs() {
			t.Errorf("%s: counts as running", name)
		}
		if err := other.end(t.Context()); err != nil || !it.runs() {
			t.Errorf("%s: %v; want it to be left alone", name, err)
		}
	}
	if err := it.end(t.Context()); err != nil || it.runs() {
		t.Errorf("end: %v; runs: %v", err, it.runs())
	}
}

func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp4", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p, rec := idle(t), &record{}
	var taken *cluster.PortTakenError
	_, err = p.open(t.Context(), cluster.Spec{HTTPSPort: port(l), HTTPPort: cluster.AnyPort, StatusPort: cluster.AnyPort}, rec, cluster.Quiet{})
	if !errors.As(err, &taken) || taken.Port != port(l) || taken.Flag != "--https-port" {
		t.Errorf("a port that was named and is taken: %v; want a *PortTakenError", err)
	}
	free := cluster.Spec{HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort}
	d, err := p.open(t.Context(), free, rec, cluster.Quiet{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if other, err := listen(t.Context(), rec.HTTPPort); err == nil {
		_ = other.Close()
		t.Error("a port that was chosen is not held")
	}
}

func TestWhatAnEmbeddedClusterCannotGrant(t *testing.T) {
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
		t.Errorf("Down of nothing: %v", err)
	}
	if left, err := os.ReadDir(p.store.Dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAStartThatFailsLeavesNothing(t *testing.T) {
	p := idle(t)
	if err := p.Available(); err != nil {
		nstest.SkipOrFail(t, err.Error())
	}
	p.binaries = programsIn(controlplane.Binaries{Dir: t.TempDir()}) // where there are none
	_, err := p.Up(t.Context(), smallSpec("test"), cluster.Quiet{})
	if err == nil || !strings.Contains(err.Error(), "etcd") && !strings.Contains(err.Error(), "kube-apiserver") {
		t.Errorf("got %v; want an error that names a program", err)
	}
	if _, err := os.Stat(p.store.ClusterDir("test")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory: %v; want it to be gone", err)
	}
}
