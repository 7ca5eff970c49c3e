package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
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
