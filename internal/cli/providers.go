package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/existing"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/nodeimage"
)

// auto as the value of --cluster leaves the choice to package choice.
const auto = "auto"

// clusterValues are the values of --cluster, each with what it means.
func clusterValues() []cobra.Completion {
	return []cobra.Completion{
		cobra.CompletionWithDesc(auto, "the cluster that exists, else kind if Docker can run it, else embedded"),
		cobra.CompletionWithDesc(kind.Name, "real nodes, as Docker containers"),
		cobra.CompletionWithDesc(embedded.Name, "the real control plane and simulated nodes, as processes of this machine (Linux)"),
		cobra.CompletionWithDesc(existing.Name, "a cluster you have: a --context of your kubeconfig"),
	}
}

func providerNames() []string {
	var names []string
	for _, v := range clusterValues() {
		name, _, _ := strings.Cut(v, "\t")
		names = append(names, name)
	}
	return names
}

// providers are all there are, the most real first.
func (a *app) providers() (autoselect.Options, error) {
	k, err := kind.New(kind.Options{NodeImage: a.ensureNodeImage})
	if err != nil {
		return nil, err
	}
	e, err := embedded.New(embedded.Options{Binaries: a.controlPlaneBinaries})
	if err != nil {
		return nil, err
	}
	return autoselect.Options{{
		Provider: k, What: "a kind cluster",
		Ready: func(ctx context.Context, spec cluster.Spec, _ cluster.Progress) (string, error) {
			return a.kindReady(ctx, k, spec)
		},
	}, {
		Provider: e, What: "an embedded cluster", Instead: "--cluster embedded needs no Docker",
		Ready: func(context.Context, cluster.Spec, cluster.Progress) (string, error) {
			if err := e.Available(); err != nil {
				return "", &autoselect.UnreadyError{Why: "embedded clusters cannot run here", Cause: err}
			}
			return "this machine allows it the namespaces it is made of", nil
		},
	}, {
		Provider: existing.New(a.guestOptions()), What: "an existing cluster", // of which none is ever made
	}}, nil
}

// controlPlaneBinaries are what embedded clusters run.
func (a *app) controlPlaneBinaries(ctx context.Context, _ cluster.Progress) (controlplane.Binaries, error) {
	programs, err := a.controlPlane(ctx, func(*nodeimage.Options) {})
	return controlplane.Binaries{Dir: programs.Dir, Version: programs.KubernetesVersion}, err
}

// kindReady tells whether kind can make a cluster without building a node image first.
func (a *app) kindReady(ctx context.Context, k *kind.Provider, spec cluster.Spec) (string, error) {
	err := k.Available(ctx)
	var none *cluster.NoEngineError
	switch {
	case errors.As(err, &none):
		return "", &autoselect.UnreadyError{
			Why: "no Docker engine answers", Cause: none.Cause,
			Remedy: "--cluster kind makes a real one once Docker is there (`make engine`)",
		}
	case err != nil:
		return "", err
	case spec.NodeImage != "":
		return "--node-image says what its nodes run", nil
	}
	root, err := a.checkout()
	if err != nil {
		return "", err
	}
	img, err := nodeimage.Pull(ctx, nodeimage.Options{Source: root, Progress: &nodeImageProgress{display: a.display, of: "Node image"}})
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", &autoselect.UnreadyError{
			Why: "Docker has no node image, and no registry gives one", Slow: true,
			Remedy: "--cluster kind builds one, in some ten minutes (`make node-image`), and makes a real one",
		}
	case img.Origin == nodeimage.OriginPulled:
		return "a Docker engine answers, and a registry had the node image", nil
	}
	return "a Docker engine answers and has the node image", nil
}

// named returns the provider that --cluster names; nil if it leaves the choice to us.
func (a *app) named(options autoselect.Options) (cluster.Provider, error) {
	if a.provider == auto {
		return nil, nil
	}
	for _, o := range options {
		if o.Provider.Name() == a.provider {
			return o.Provider, nil
		}
	}
	if err := a.checkProvider(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("--cluster %s: this program was built without it", a.provider)
}

// checkProvider returns a usage error for a value of --cluster that is none.
func (a *app) checkProvider() error {
	if slices.Contains(providerNames(), a.provider) {
		return nil
	}
	return unknown("cluster provider", a.provider, providerNames(), "--cluster takes: "+strings.Join(providerNames(), ", "))
}

// maker returns the provider that is to bring up the cluster, and says which one it took.
func (a *app) maker(ctx context.Context, spec cluster.Spec) (cluster.Provider, error) {
	options, err := a.options()
	if err != nil {
		return nil, err
	}
	p, err := a.named(options)
	if p != nil || err != nil {
		return p, err
	}
	p, line, err := options.Choose(ctx, spec, a.display)
	if line != "" {
		a.display.Note(line)
	}
	return p, err
}

// owner returns the provider of the cluster that exists. The error is a *cluster.NotFoundError if there is none.
func (a *app) owner(ctx context.Context) (cluster.Provider, error) {
	owners, err := a.owners(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(owners) == 0:
		return nil, &cluster.NotFoundError{Name: a.name}
	}
	if line := autoselect.Ambiguity(a.name, owners); line != "" {
		a.display.Note(line)
	}
	return owners[0].Provider, nil
}

// owners returns every provider that has a cluster of the name, or the one that --cluster names, whatever it has.
func (a *app) owners(ctx context.Context) ([]autoselect.Found, error) {
	if err := (cluster.Spec{Name: a.name}).Check(); err != nil {
		return nil, err
	}
	options, err := a.options()
	if err != nil {
		return nil, err
	}
	p, err := a.named(options)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return options.Find(ctx, a.name)
	}
	i := slices.IndexFunc(options, func(o autoselect.Option) bool { return o.Provider == p })
	return []autoselect.Found{{Option: options[i]}}, nil
}
