package kind

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

func TestAFailedUpLeavesNothingButTheLog(t *testing.T) {
	w := newWorld(t)
	w.broken = &createError{reason: "kubeadm said no", log: "all of it"}
	_, err := w.up(t, nil)
	if err == nil || !strings.Contains(err.Error(), `create cluster "lab": kubeadm said no (kind's log: `) {
		t.Fatalf("got %v", err)
	}
	if text, readErr := os.ReadFile(w.store.LogFile("lab")); readErr != nil || string(text) != "all of it" {
		t.Errorf("log: %q, %v", text, readErr)
	}
	if err := os.Remove(w.store.LogFile("lab")); err != nil {
		t.Fatal(err)
	}
	w.assertGone(t)
}

// The daemon may finish a request whose client was killed: a container turns
// up after everything has been removed.
func TestACanceledUpLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.broken = context.Canceled
	w.engine.lateCreation = &container{name: "lab-worker9", cluster: "lab", role: "worker", state: "created"}
	if _, err := w.up(t, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	w.assertGone(t)
}

func TestKeepOnFailure(t *testing.T) {
	w := newWorld(t)
	w.broken = errors.New("no")
	if _, err := w.up(t, func(s *cluster.Spec) { s.KeepOnFailure = true }); err == nil {
		t.Fatal("no error")
	}
	if len(w.engine.containers) != 3 || !w.notes.contains("ingresslab down --name lab") {
		t.Errorf("%d nodes are kept, said %q", len(w.engine.containers), w.notes.lines)
	}
	w.broken = nil
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	w.assertGone(t)
}

func TestDownOfNothing(t *testing.T) {
	w := newWorld(t)
	if err := w.Down(t.Context(), "lab", w.notes); err != nil || !w.notes.contains(`there is no cluster "lab"`) {
		t.Errorf("got %v, said %q", err, w.notes.lines)
	}
}

func TestTheNetworkOfOthersStays(t *testing.T) {
	w := newWorld(t)
	w.engine.networks = []string{network}
	w.mustUp(t)
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	if len(w.engine.networks) != 1 {
		t.Error("a network that was there before is gone")
	}
}

// The network is of our making, but another kind cluster has moved in.
func TestOurNetworkStaysWhileItIsUsed(t *testing.T) {
	w := newWorld(t)
	w.mustUp(t)
	other := container{name: "other-control-plane", cluster: "other", role: "control-plane", state: "exited"}
	w.engine.containers = append(w.engine.containers, other)
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	if len(w.engine.networks) != 1 {
		t.Error("the network was taken from under a stopped cluster")
	}
	w.engine.containers = nil
	if err := w.Down(t.Context(), "lab", w.notes); err != nil {
		t.Fatal(err)
	}
	w.assertGone(t)
}
