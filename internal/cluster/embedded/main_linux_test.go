package embedded

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

// TestMain makes the test binary the child of the provider, and the process that a test kills.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case supervisor.ChildCommand:
			if !supervisor.Run(os.Stdin, os.Stdout) {
				os.Exit(1) //nolint:forbidigo // this function replaces main
			}
			return
		case container.ChildCommand:
			_ = container.RunChild()
			os.Exit(1) //nolint:forbidigo // this function replaces main
		case "bring-up":
			bringUp(os.Args[2], controlplane.Binaries{Dir: os.Args[3], Version: os.Args[4]}, os.Args[5] == "keep")
			return
		}
	}
	m.Run() // its result is the exit code
}

// bringUp brings up a cluster, prints each step, and waits until it is killed.
func bringUp(stateDir string, of controlplane.Binaries, keep bool) {
	p := New(Options{StateDir: stateDir, Binaries: programsIn(of)})
	_, err := p.Up(context.Background(), smallSpec("test"), printed{})
	if err == nil && keep {
		err = p.Keep(context.Background(), "test")
	}
	fmt.Println("up:", err)
	select {}
}

func programsIn(of controlplane.Binaries) func(context.Context, cluster.Progress) (controlplane.Binaries, error) {
	return func(context.Context, cluster.Progress) (controlplane.Binaries, error) { return of, nil }
}

// smallSpec is a cluster of one node with free ports.
func smallSpec(name string) cluster.Spec {
	return cluster.Spec{
		Name: name, Nodes: 1, HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort,
	}
}

// printed is a Progress for a parent to read.
type printed struct{}

func (printed) Step(text string) func(error) {
	fmt.Println("step:", text)
	return func(error) {}
}

func (printed) Note(text string) { fmt.Println("note:", text) }
