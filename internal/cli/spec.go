package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// specFlags are the flags of every command that may create a cluster.
type specFlags struct {
	nodes, httpPort, httpsPort, statusPort int
	nodeImage                              string
	keep, merge, recreate                  bool
}

func (s *specFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.IntVar(&s.nodes, "nodes", cluster.DefaultNodes, "nodes of a new cluster, the control plane included")
	f.IntVar(&s.httpPort, "http-port", cluster.DefaultHTTPPort, "port on 127.0.0.1 for HTTP; 0 picks a free one")
	f.IntVar(&s.httpsPort, "https-port", cluster.DefaultHTTPSPort, "port on 127.0.0.1 for HTTPS; 0 picks a free one")
	f.IntVar(&s.statusPort, "status-port", cluster.DefaultStatusPort, "port on 127.0.0.1 for the controller's status page; 0 picks a free one")
	f.StringVar(&s.nodeImage, "node-image", "", "image of a new cluster's nodes (default: found, pulled or built, see 'ingresslab build node-image')")
	f.BoolVar(&s.keep, "keep-on-failure", false, "leave a cluster that could not be completed, to look at it")
	f.BoolVar(&s.merge, "merge-kubeconfig", false, "also write the cluster into your own kubeconfig")
	f.BoolVar(&s.recreate, "recreate", false, "remove an existing cluster of the name first")
}

// spec turns the flags into wishes. A flag that nobody gave is no wish: what
// exists is then good as it is.
func (s *specFlags) spec(c *cobra.Command, name string) (cluster.Spec, error) {
	spec := cluster.Spec{
		Name: name, NodeImage: s.nodeImage,
		KeepOnFailure: s.keep, MergeKubeconfig: s.merge, Recreate: s.recreate,
	}
	given := c.Flags().Changed
	if given("nodes") {
		if s.nodes < 1 {
			return spec, &cluster.SpecError{Flag: "--nodes", Why: fmt.Sprintf("%d is not between 1 and %d", s.nodes, cluster.MaxNodes)}
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
