package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
)

// fakeEmbedded stands in for embedded clusters in scripts: it says what it is asked for.
type fakeEmbedded struct {
	cluster.Provider
	exists bool
}

func (fakeEmbedded) Name() string { return "embedded" }

func (fakeEmbedded) Up(context.Context, cluster.Spec, cluster.Progress) (*cluster.Cluster, error) {
	return nil, errors.New("embedded was asked for a cluster")
}

func (fakeEmbedded) Down(_ context.Context, name string, progress cluster.Progress) error {
	progress.Note(fmt.Sprintf("embedded was asked to remove %q", name))
	return nil
}

func (f fakeEmbedded) List(context.Context) ([]cluster.Summary, error) {
	if !f.exists {
		return nil, nil
	}
	return []cluster.Summary{{Name: "ingresslab", State: cluster.Running}}, nil
}

func (f fakeEmbedded) Get(_ context.Context, name string) (*cluster.Cluster, error) {
	if !f.exists {
		return nil, &cluster.NotFoundError{Name: name}
	}
	return &cluster.Cluster{Name: name, Provider: "embedded", Kubeconfig: "/fake/kubeconfig"}, nil
}

// fakeOptions are the real providers with a fake in place of the embedded one: "ready" to be chosen, "refused" by the
// machine, or one that "exists".
func fakeOptions(real func() (autoselect.Options, error), embedded string) func() (autoselect.Options, error) {
	return func() (autoselect.Options, error) {
		options, err := real()
		if err != nil {
			return nil, err
		}
		fake := autoselect.Option{
			Provider: fakeEmbedded{exists: embedded == "exists"}, What: "an embedded cluster",
			Instead: "--cluster embedded makes one without Docker",
			Ready: func(context.Context, cluster.Spec, cluster.Progress) (string, error) {
				if embedded == "refused" {
					return "", &autoselect.UnreadyError{Why: "namespaces are refused", Remedy: "use sudo"}
				}
				return "", nil
			},
		}
		options = slices.DeleteFunc(options, func(o autoselect.Option) bool { return o.Provider.Name() == "embedded" })
		return slices.Insert(options, 1, fake), nil
	}
}
