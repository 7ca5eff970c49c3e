package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
)

// fakeEmbedded replaces embedded clusters in scripts: it reports each call.
type fakeEmbedded struct {
	cluster.Provider
	// mode is "ready", "refused" by the machine, or "exists".
	mode string
}

func (fakeEmbedded) Name() string { return "embedded" }

func (fakeEmbedded) Info() cluster.Info {
	return cluster.Info{Noun: "an embedded cluster", Summary: "fake", Instead: "--cluster embedded creates one without Docker"}
}

func (f fakeEmbedded) Ready(context.Context, cluster.Spec, cluster.Progress) (string, error) {
	if f.mode == "refused" {
		return "", &cluster.UnreadyError{Why: "namespaces are refused", Fix: "use sudo"}
	}
	return "", nil
}

func (fakeEmbedded) Up(context.Context, cluster.Spec, cluster.Progress) (*cluster.Cluster, error) {
	return nil, errors.New("embedded was asked for a cluster")
}

func (fakeEmbedded) Down(_ context.Context, name string, progress cluster.Progress) error {
	progress.Note(fmt.Sprintf("embedded was asked to remove %q", name))
	return nil
}

func (f fakeEmbedded) List(context.Context) ([]cluster.Summary, error) {
	if f.mode != "exists" {
		return nil, nil
	}
	return []cluster.Summary{{Name: "ingresslab", State: cluster.Running}}, nil
}

func (f fakeEmbedded) Get(_ context.Context, name string) (*cluster.Cluster, error) {
	if f.mode != "exists" {
		return nil, &cluster.NotFoundError{Name: name}
	}
	return &cluster.Cluster{Name: name, Provider: "embedded", Kubeconfig: "/fake/kubeconfig"}, nil
}

// fakeOptions returns the real providers with fakeEmbedded in place of the embedded one.
func fakeOptions(real func() autoselect.Providers, embedded string) func() autoselect.Providers {
	return func() autoselect.Providers {
		providers := real()
		i := slices.IndexFunc(providers, func(p cluster.Provider) bool { return p.Name() == "embedded" })
		providers[i] = fakeEmbedded{mode: embedded}
		return providers
	}
}
