package kind

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

func TestFailedUpLeavesOnlyLog(t *testing.T) {
	w := newFixture(t)
	w.broken = &createError{reason: "kubeadm failed", log: "complete log"}
	_, err := w.up(t, nil)
	if err == nil || !strings.Contains(err.Error(), `create cluster "lab": kubeadm failed (log: `) {
		t.Fatalf("got %v", err)
	}
	if text, readErr := os.ReadFile(w.LogFile("lab")); readErr != nil || string(text) != "complete log" {
		t.Errorf("log: %q, %v", text, readErr)
	}
	if err := os.Remove(w.LogFile("lab")); err != nil {
		t.Fatal(err)
	}
	w.assertGone(t)
}

// The daemon can finish a request of a killed client and create a container after the removal.
func TestCanceledUpLeavesNothing(t *testing.T) {
	w := newFixture(t)
	w.broken = context.Canceled
	w.engine.lateCreation = &container{name: "lab-worker9", cluster: "lab", role: "worker", state: "created"}
	if _, err := w.up(t, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	w.assertGone(t)
}

func TestKeepOnFailure(t *testing.T) {
	w := newFixture(t)
	w.broken = errors.New("creation failed")
	if _, err := w.up(t, func(s *cluster.Spec) { s.KeepOnFailure = true }); err == nil {
		t.Fatal("no error")
	}
	if len(w.engine.containers) != 3 || !w.notes.contains("ingresslab down --name lab") {
		t.Errorf("%d nodes, progress %q", len(w.engine.containers), w.notes.lines)
	}
	w.broken = nil
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	w.assertGone(t)
}

func TestDownWithoutCluster(t *testing.T) {
	w := newFixture(t)
	if err := w.Down(t.Context(), "lab", w.notes); err != nil || !w.notes.contains(`cluster "lab" does not exist`) {
		t.Errorf("got %v, progress %q", err, w.notes.lines)
	}
}

func TestDownKeepsNetworkOfOthers(t *testing.T) {
	w := newFixture(t)
	w.engine.networks = []string{network}
	w.mustUp(t)
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	if len(w.engine.networks) != 1 {
		t.Error("Down removed a network that existed before")
	}
}

// ingresslab created the network, but another kind cluster uses it now.
func TestDownKeepsNetworkInUse(t *testing.T) {
	w := newFixture(t)
	w.mustUp(t)
	other := container{name: "other-control-plane", cluster: "other", role: "control-plane", state: "exited"}
	w.engine.containers = append(w.engine.containers, other)
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	if len(w.engine.networks) != 1 {
		t.Error("Down removed the network of a stopped cluster")
	}
	w.engine.containers = nil
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	w.assertGone(t)
}
