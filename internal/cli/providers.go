package cli

import (
	"context"
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

// providers lists all cluster providers, the preferred one first. Add a new provider here.
func (a *app) providers() autoselect.Providers {
	return autoselect.Providers{
		kind.New(kind.Options{NodeImage: a.ensureNodeImage, ImageReady: a.nodeImageReady}),
		embedded.New(embedded.Options{Binaries: a.controlPlaneBinaries}),
		existing.New(a.existingOptions()),
	}
}

// auto as the value of --cluster selects a provider automatically.
const auto = "auto"

// clusterValues are the values of --cluster with their descriptions.
func (a *app) clusterValues() []cobra.Completion {
	values := []cobra.Completion{cobra.CompletionWithDesc(auto, "the existing cluster, else kind if Docker can run it, else embedded")}
	for _, p := range a.options() {
		values = append(values, cobra.CompletionWithDesc(p.Name(), p.Info().Summary))
	}
	return values
}

func (a *app) providerNames() []string {
	names := []string{auto}
	for _, p := range a.options() {
		names = append(names, p.Name())
	}
	return names
}

// controlPlaneBinaries returns the control plane for embedded clusters.
func (a *app) controlPlaneBinaries(ctx context.Context, _ cluster.Progress) (controlplane.Binaries, error) {
	programs, err := a.controlPlane(ctx, func(*nodeimage.Options) {})
	return controlplane.Binaries{Dir: programs.Dir, Version: programs.KubernetesVersion}, err
}

// nodeImageReady returns a *cluster.UnreadyError if a build is necessary to get the node image.
func (a *app) nodeImageReady(ctx context.Context) (reason string, err error) {
	root, err := a.checkout()
	if err != nil {
		return "", err
	}
	img, err := nodeimage.Pull(ctx, nodeimage.Options{Source: root, Progress: &nodeImageProgress{display: a.display, of: "Node image"}})
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", &cluster.UnreadyError{
			Why: "no node image in Docker or in a reachable registry", Slow: true,
			Fix: "for real nodes, pass --cluster kind, which builds the image in about ten minutes (`make node-image`)",
		}
	case img.Origin == nodeimage.OriginPulled:
		return "a Docker engine answers, and a registry had the node image", nil
	}
	return "a Docker engine answers and has the node image", nil
}

// named returns the provider of --cluster, or nil for auto.
func (a *app) named() (cluster.Provider, error) {
	if a.provider == auto {
		return nil, nil
	}
	for _, p := range a.options() {
		if p.Name() == a.provider {
			return p, nil
		}
	}
	names := a.providerNames()
	return nil, unknown("cluster provider", a.provider, names, "--cluster takes: "+strings.Join(names, ", "))
}

// checkProvider returns a usage error for an unknown value of --cluster.
func (a *app) checkProvider() error {
	_, err := a.named()
	return err
}

// maker returns the provider that brings up the cluster, and reports an automatic selection.
func (a *app) maker(ctx context.Context, spec cluster.Spec) (cluster.Provider, error) {
	p, err := a.named()
	if p != nil || err != nil {
		return p, err
	}
	p, line, err := a.options().Select(ctx, spec, a.display)
	if line != "" {
		a.display.Note(line)
	}
	return p, err
}

// owner returns the provider of the existing cluster. The error is a *cluster.NotFoundError if there is none.
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

// owners returns each provider that has a cluster of the name, or only the provider of --cluster.
func (a *app) owners(ctx context.Context) ([]autoselect.Found, error) {
	if err := (cluster.Spec{Name: a.name}).Check(); err != nil {
		return nil, err
	}
	p, err := a.named()
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return a.options().Find(ctx, a.name)
	}
	return []autoselect.Found{{Provider: p}}, nil
}
