package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/nodeimage"
)

func (a *app) buildCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "build",
		Short: "Build the node image, the control plane, or kubectl",
		Example: `  ingresslab build node-image       # for kind clusters: pull or build the node image
  ingresslab build control-plane    # for embedded clusters: compile the control plane`,
	}
	asGroup(c)
	c.AddCommand(a.buildNodeImageCommand(), a.buildControlPlaneCommand(), a.buildKubectlCommand())
	return c
}

// printed returns a RunE that prints the result of build.
func (a *app) printed(build func(context.Context) (string, error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		result, err := build(c.Context())
		if err == nil {
			printf(a.std.Out, "%s\n", result)
		}
		return err
	}
}

func (a *app) buildNodeImageCommand() *cobra.Command {
	var force, offline bool
	c := &cobra.Command{
		Use:   "node-image",
		Short: "Find, pull, or build the node image for kind clusters",
		Long: `Make the node image available in Docker: use a local image, pull the kind image, or build one from
Go modules and Debian packages. An interrupted build resumes on the next run. Prints the image's name.`,
		Example: "  ingresslab build node-image",
		Args:    noArgs,
		RunE: a.printed(func(ctx context.Context) (string, error) {
			return a.nodeImage(ctx, func(o *nodeimage.Options) { o.Force, o.Offline = force, offline })
		}),
	}
	c.Flags().BoolVar(&force, "force", false, "build the image even if it exists")
	c.Flags().BoolVar(&offline, "offline", false, "do not contact a registry")
	return c
}

func (a *app) buildControlPlaneCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "control-plane",
		Short: "Compile the control plane for embedded clusters",
		Long: `Compile the control plane for embedded clusters: etcd, kube-apiserver, kube-controller-manager, and
kube-scheduler. The first time takes minutes; an interrupted build resumes on the next run. It needs
neither root nor Docker. Prints the directory with the programs.

If you set INGRESSLAB_KUBE_BIN=DIR, embedded clusters run the programs in DIR, and the command only
checks them.`,
		Example: "  ingresslab build control-plane",
		Args:    noArgs,
		RunE: a.printed(func(ctx context.Context) (string, error) {
			programs, err := a.controlPlane(ctx, func(o *nodeimage.Options) { o.Force = force })
			return programs.Dir, err
		}),
	}
	c.Flags().BoolVar(&force, "force", false, "compile the programs even if they exist")
	return c
}

// controlPlane finds or compiles the programs of the control plane. Without a checkout, it can only find them.
func (a *app) controlPlane(ctx context.Context, adjust func(*nodeimage.Options)) (nodeimage.Programs, error) {
	o := nodeimage.Options{Progress: &nodeImageProgress{display: a.display, of: "Control plane"}}
	root, noCheckout := a.checkout()
	o.Source = root
	adjust(&o)
	programs, err := nodeimage.ControlPlane(ctx, o)
	if noCheckout != nil && errors.Is(err, nodeimage.ErrNoSource) {
		return nodeimage.Programs{}, noCheckout // it lists the searched directories
	}
	return programs, err
}

func (a *app) buildKubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl",
		Short: "Compile kubectl in the version of the nodes",
		Long: `Find the kubectl from a node image that was built on this machine, or compile it from the same module.
The first time takes a minute or two. Prints its path; ` + "`make kubectl`" + ` copies it to bin/.`,
		Example: "  ingresslab build kubectl",
		Args:    noArgs,
		RunE: a.printed(func(ctx context.Context) (string, error) {
			root, err := a.checkout()
			if err != nil {
				return "", err
			}
			return nodeimage.Kubectl(ctx, nodeimage.Options{
				Source: root, Progress: &nodeImageProgress{display: a.display, of: "kubectl"},
			})
		}),
	}
}

// ensureNodeImage implements kind.NodeImageFunc.
func (a *app) ensureNodeImage(ctx context.Context, _ cluster.Progress) (string, error) {
	return a.nodeImage(ctx, func(*nodeimage.Options) {})
}

func (a *app) nodeImage(ctx context.Context, adjust func(*nodeimage.Options)) (string, error) {
	root, err := a.checkout()
	if err != nil {
		return "", err
	}
	o := nodeimage.Options{Source: root, Progress: &nodeImageProgress{display: a.display, of: "Node image"}}
	adjust(&o)
	img, err := nodeimage.Ensure(ctx, o)
	return img.Ref, err
}

// nodeImageProgress shows the stages of a build on the display, except those that an earlier build completed.
type nodeImageProgress struct {
	display *display
	of      string // the subject, such as "Node image"
	stage   *step
}

// Begin implements nodeimage.Progress.
func (p *nodeImageProgress) Begin(number, total int, name string) {
	p.stage = p.display.begin(fmt.Sprintf("%s [%d/%d] %s", p.of, number, total, name))
}

// Detail implements nodeimage.Progress.
func (p *nodeImageProgress) Detail(text string) {
	if p.stage != nil {
		p.display.detail(p.stage, text)
	}
}

// End implements nodeimage.Progress.
func (p *nodeImageProgress) End(outcome string) {
	if p.stage == nil {
		return
	}
	switch outcome {
	case nodeimage.OutcomeReused:
		p.display.drop(p.stage)
	case nodeimage.OutcomeFailed, nodeimage.OutcomeInterrupted:
		p.display.end(p.stage, errors.New(outcome)) // Ensure returns the cause
	default:
		p.display.end(p.stage, nil)
	}
	p.stage = nil
}

// Note implements nodeimage.Progress.
func (p *nodeImageProgress) Note(text string) { p.display.Note(text) }
