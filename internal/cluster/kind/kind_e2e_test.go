//go:build e2e

package kind

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// These tests create real clusters. INGRESSLAB_NODE_IMAGE names the node image; `ingresslab build
// node-image` prints one.

func realProvider(t *testing.T) (*provider, cluster.Spec) {
	t.Helper()
	image := os.Getenv("INGRESSLAB_NODE_IMAGE")
	if image == "" {
		const missing = "INGRESSLAB_NODE_IMAGE is not set"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing) // a skip would go unnoticed
		}
		t.Skip(missing)
	}
	p := New(Options{StateDir: filepath.Join(t.TempDir(), "state")})
	if err := p.engine.check(t.Context()); err != nil {
		t.Fatal(err) // with a node image, the tests must run
	}
	spec := cluster.Spec{
		Name: "ingresslab-provider-test", Nodes: 2, NodeImage: image,
		HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort,
	}
	t.Cleanup(func() {
		if err := p.Down(context.WithoutCancel(t.Context()), spec.Name, cluster.Quiet{}); err != nil {
			t.Error(err)
		}
	})
	return p, spec
}

// cancelAt is a Progress that cancels when a step begins.
type cancelAt struct {
	t      *testing.T
	step   string
	cancel context.CancelFunc
	after  time.Duration
}

func (c cancelAt) Step(text string) func(error) {
	c.t.Log(text)
	if strings.Contains(text, c.step) {
		time.AfterFunc(c.after, c.cancel)
	}
	return func(err error) { c.t.Log(text, "ended:", err) }
}

func (c cancelAt) Note(text string) { c.t.Log("note:", text) }

func TestCancelLeavesNothing(t *testing.T) {
	for _, moment := range []struct {
		step  string
		after time.Duration
	}{
		{"Preparing nodes", 0},
		{"Preparing nodes", 150 * time.Millisecond},
		{"Preparing nodes", 600 * time.Millisecond},
		{"Starting control-plane", time.Second},
		{"Joining worker nodes", time.Second},
		{"Waiting for the nodes", 0},
	} {
		t.Run(moment.step+"+"+moment.after.String(), func(t *testing.T) {
			p, spec := realProvider(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := p.Up(ctx, spec, cancelAt{t, moment.step, cancel, moment.after})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			assertNothingLeft(t, p, spec.Name)
		})
	}
}

func assertNothingLeft(t *testing.T, p *provider, name string) {
	t.Helper()
	containers, err := p.engine.nodes(t.Context(), name)
	if err != nil || len(containers) > 0 {
		t.Errorf("containers: %v, %v; want none", containers, err)
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, e := range entries {
		if e.Name() != "network" { // it stays while other clusters use it
			t.Errorf("remaining file: %s", e.Name())
		}
	}
}

func TestClusterLifecycle(t *testing.T) {
	p, spec := realProvider(t)
	made, err := p.Up(t.Context(), spec, cancelAt{t: t, step: "never"})
	if err != nil {
		t.Fatal(err)
	}
	if !made.Created {
		t.Error("Created is false for a new cluster")
	}
	again, err := p.Up(t.Context(), spec, cancelAt{t: t, step: "never"})
	if err != nil || again.Created || again.Addresses != made.Addresses {
		t.Errorf("second Up: %+v, %v; want the same cluster, not Created", again, err)
	}
	dir := t.TempDir()
	if err := p.Logs(t.Context(), spec.Name, dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, spec.Name+"-control-plane", "kubelet.log")); err != nil {
		t.Error(err)
	}
	stopAll(t, p, spec.Name)
	revived, err := p.Up(t.Context(), spec, cancelAt{t: t, step: "never"})
	if err != nil || revived.Created {
		t.Errorf("Up after the nodes were stopped: %+v, %v; want the same cluster, not Created", revived, err)
	}
	if err := p.Down(t.Context(), spec.Name, cluster.Quiet{}); err != nil {
		t.Error(err)
	}
	assertNothingLeft(t, p, spec.Name)
}

// stopAll stops the nodes, like a reboot of the engine's machine.
func stopAll(t *testing.T, p *provider, name string) {
	t.Helper()
	containers, err := p.engine.nodes(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		if _, err := (docker{}).run(t.Context(), "stop", "--time=2", c.name); err != nil {
			t.Fatal(err)
		}
	}
}
