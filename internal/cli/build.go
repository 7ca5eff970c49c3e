package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/nodeimage"
)

func (a *app) buildCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "build",
		Short: "Build what clusters and lessons need",
		Example: `  ingresslab build node-image       # for kind clusters: pull or build the node image
  ingresslab build control-plane    # for embedded clusters: compile the control plane`,
	}
	asGroup(c)
	c.AddCommand(a.buildNodeImageCommand(), a.buildControlPlaneCommand(), a.buildKubectlCommand())
	return c
}

func (a *app) buildControlPlaneCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "control-plane",
		Short: "Compile the programs that embedded clusters run",
		Long: `Have the control plane of embedded clusters ready: etcd, kube-apiserver, kube-controller-manager and
kube-scheduler, compiled from their modules. That takes minutes the first time, and neither root nor Docker;
interrupted, it takes up the next time where it was. Prints the directory with the programs.

With INGRESSLAB_KUBE_BIN=DIR embedded clusters run the programs in DIR; then they are only looked at.`,
		Example: "  ingresslab build control-plane",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			programs, err := a.controlPlane(c.Context(), func(o *nodeimage.Options) { o.Force = force })
			if err != nil {
				return err
			}
			printf(a.std.Out, "%s\n", programs.Dir)
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "compile them even if they are there")
	return c
}

// controlPlane finds or compiles the programs of a control plane. Without a checkout only ready ones will do.
func (a *app) controlPlane(ctx context.Context, adjust func(*nodeimage.Options)) (nodeimage.Programs, error) {
	o := nodeimage.Options{Progress: &nodeImageProgress{display: a.display, of: "Control plane"}}
	root, noCheckout := a.checkout()
	o.Source = root
	adjust(&o)
	programs, err := nodeimage.ControlPlane(ctx, o)
	if noCheckout != nil && errors.Is(err, nodeimage.ErrNoSource) {
		return nodeimage.Programs{}, noCheckout // it says where one was looked for
	}
	return programs, err
}

func (a *app) buildKubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl",
		Short: "Compile kubectl, for a machine that has none",
		Long: `Have a kubectl of the version that the nodes run: the one that went into the node image if that was built on
this machine, else one that is compiled from the same module, which takes a minute or two the first time.
Prints its path; ` + "`make kubectl`" + ` copies it into bin/.`,
		Example: "  ingresslab build kubectl",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			root, err := a.checkout()
			if err != nil {
				return err
			}
			program, err := nodeimage.Kubectl(c.Context(), nodeimage.Options{
				Source: root, Progress: &nodeImageProgress{display: a.display, of: "kubectl"},
			})
			if err != nil {
				return err
			}
			printf(a.std.Out, "%s\n", program)
			return nil
		},
	}
}
