package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/existing"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/nodeimage"
)

// specFlags are the flags of commands that can create a cluster.
type specFlags struct {
	nodes, httpPort, httpsPort, statusPort int
	nodeImage                              string
	keep, merge, recreate                  bool
}

func (s *specFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.IntVar(&s.nodes, "nodes", cluster.DefaultNodes, "number of nodes of a new cluster, including the control plane")
	f.IntVar(&s.httpPort, "http-port", cluster.DefaultHTTPPort, "port on 127.0.0.1 for HTTP; 0 selects a free port")
	f.IntVar(&s.httpsPort, "https-port", cluster.DefaultHTTPSPort, "port on 127.0.0.1 for HTTPS; 0 selects a free port")
	f.IntVar(&s.statusPort, "status-port", cluster.DefaultStatusPort, "port on 127.0.0.1 for the status page; 0 selects a free port")
	f.StringVar(&s.nodeImage, "node-image", "", "node image of a new kind cluster (default: see 'ingresslab build node-image')")
	f.BoolVar(&s.keep, "keep-on-failure", false, "keep the cluster for debugging if creation fails")
	f.BoolVar(&s.merge, "merge-kubeconfig", false, "also add the cluster to your own kubeconfig")
	f.BoolVar(&s.recreate, "recreate", false, "delete an existing cluster of this name first")
}

// spec returns the requested cluster. A flag that is not set matches any existing cluster.
func (s *specFlags) spec(c *cobra.Command, name string) (cluster.Spec, error) {
	spec := cluster.Spec{
		Name: name, NodeImage: s.nodeImage,
		KeepOnFailure: s.keep, MergeKubeconfig: s.merge, Recreate: s.recreate,
	}
	given := c.Flags().Changed
	if given("nodes") {
		if err := checkNodes(s.nodes); err != nil {
			return spec, err
		}
		spec.Nodes = s.nodes
	}
	for _, p := range []struct {
		flag  string
		value int
		want  *int
	}{
		{"http-port", s.httpPort, &spec.HTTPPort},
		{"https-port", s.httpsPort, &spec.HTTPSPort},
		{"status-port", s.statusPort, &spec.StatusPort},
	} {
		switch {
		case !given(p.flag):
		case p.value < 0:
			return spec, &cluster.SpecError{Flag: "--" + p.flag, Why: fmt.Sprintf("%d is not a port (1 to 65535, or 0 for a free one)", p.value)}
		case p.value == 0:
			*p.want = cluster.AnyPort
		default:
			*p.want = p.value
		}
	}
	return spec, spec.Check()
}

// checkNodes returns an error for a value of --nodes below 1. Spec.Check has the upper limit.
func checkNodes(n int) error {
	if n < 1 {
		return &cluster.SpecError{Flag: "--nodes", Why: fmt.Sprintf("%d is not between 1 and %d", n, cluster.MaxNodes)}
	}
	return nil
}

// existingFlags are the flags for existing clusters.
type existingFlags struct {
	context, kubeconfig, registry string
	httpAddress, httpsAddress     string
	yes                           bool
}

// register adds the flags of commands that change a cluster. The other flags are global.
func (e *existingFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&e.registry, "registry", "",
		"push images to HOST/PATH, where an existing cluster pulls them (default: its nodes have them, see 'ingresslab image save')")
	f.StringVar(&e.httpAddress, "http-address", "", "HOST:PORT of an existing cluster's ingress (default: through its API server)")
	f.StringVar(&e.httpsAddress, "https-address", "", "HOST:PORT of an existing cluster's ingress for HTTPS")
	f.BoolVar(&e.yes, "yes", false, "skip the confirmation prompt for a remote cluster")
}

func (a *app) existingOptions() existing.Options {
	e := a.existing
	return existing.Options{
		Context: e.context, Kubeconfig: e.kubeconfig, Registry: e.registry,
		Addresses: cluster.Addresses{HTTP: e.httpAddress, HTTPS: e.httpsAddress},
		Confirm:   a.confirm,
	}
}

// confirm asks the user at the terminal. Without a terminal, only --yes confirms.
func (a *app) confirm(ctx context.Context, question string) error {
	printf(a.std.Err, "%s\n", question)
	if a.existing.yes {
		return nil
	}
	in, ok := a.std.In.(*os.File)
	if !ok || !isatty.IsTerminal(in.Fd()) {
		return usagef("confirmation required, but there is no terminal; pass --yes to confirm")
	}
	printf(a.std.Err, "Continue? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // the end of the input counts as no
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return usagef("canceled; nothing was changed")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

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
	o, err := a.buildOptions("Node image")
	if err != nil {
		return "", err
	}
	img, err := nodeimage.Pull(ctx, o)
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
