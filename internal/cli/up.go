package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/deploy"
)

func (a *app) upCommand() *cobra.Command {
	var flags specFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Bring up the cluster with the controller in it",
		Long: `Bring up the cluster: create it unless it exists, load the images, install the
controller, and wait until the ingress answers. Running it again is quick, and brings a
changed controller into the cluster.`,
		Example: "  ingresslab up --nodes 1 --http-port 9080",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			up, err := a.bringUp(c, &flags)
			if err != nil {
				return err
			}
			printAddresses(a.std.Out, up)
			return nil
		},
	}
	flags.register(c)
	a.guest.register(c)
	return c
}

// bringUp is what up, lab and run have in common.
func (a *app) bringUp(c *cobra.Command, flags *specFlags) (*cluster.Cluster, error) {
	spec, err := flags.spec(c, a.name)
	if err != nil {
		return nil, err
	}
	root, err := a.checkout()
	if err != nil {
		return nil, err
	}
	provider, err := a.maker(c.Context(), spec)
	if err != nil {
		return nil, err
	}
	lab := deploy.Lab{Provider: provider, Root: root, Progress: a.display}
	return lab.Up(c.Context(), spec)
}

func (a *app) downCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "down",
		Short:   "Remove the cluster and everything that belongs to it",
		Long:    "Remove the cluster and everything that belongs to it, whatever it was made with; if several clusters have the name,\nall of them, unless --cluster names one.",
		Example: "  ingresslab down --name mine",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.down(c.Context())
		},
	}
}

func (a *app) down(ctx context.Context) error {
	owners, err := a.owners(ctx)
	if err != nil {
		return err
	}
	if len(owners) == 0 {
		options, err := a.options()
		if err != nil {
			return err
		}
		owners = append(owners, autoselect.Found{Option: options[0]}) // it says that there is none, or whose it is
	}
	for _, o := range owners {
		err = errors.Join(err, o.Provider.Down(ctx, a.name, a.display))
	}
	return err
}

// cluster returns the cluster that exists, without touching it.
func (a *app) cluster(ctx context.Context) (cluster.Provider, *cluster.Cluster, error) {
	provider, err := a.owner(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := provider.Get(ctx, a.name)
	return provider, c, err
}

// printAddresses says where things are, for people and for grep.
func printAddresses(w io.Writer, c *cluster.Cluster) {
	printf(w, "cluster      %s (%s)\n", c.Name, c.Provider)
	if c.Lent != nil {
		printf(w, "ingress      while this runs: %s\n", c.Lent.Forward)
	} else {
		printf(w, "http         http://%s/\n", c.Addresses.HTTP)
		printf(w, "https        https://%s/\n", c.Addresses.HTTPS)
		printf(w, "status page  http://%s/\n", c.Addresses.Status)
	}
	printf(w, "kubectl      %s\n", exportLine(c))
}

// exportLine is what to paste into a shell so that kubectl finds the cluster.
func exportLine(c *cluster.Cluster) string { return "export KUBECONFIG=" + shellQuote(c.Kubeconfig) }
