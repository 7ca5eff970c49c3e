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
	"github.com/ingresslab/ingresslab/internal/cluster/existing"
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

// impliedProvider makes --context imply --cluster existing.
func (a *app) impliedProvider() {
	if a.existing.context != "" && a.provider == auto {
		a.provider = existing.Name
	}
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
