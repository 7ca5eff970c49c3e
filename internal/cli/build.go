package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/image"
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
Go modules and Debian packages. An interrupted build resumes on the next run. The command prints the image's name.`,
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
kube-scheduler. The first build takes several minutes. An interrupted build resumes on the next run.
The command needs neither root nor Docker. It prints the directory with the programs.

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
	o, noCheckout := a.buildOptions("Control plane")
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
Compiling takes a minute or two. The command prints the path of kubectl; ` + "`make kubectl`" + ` also copies it to bin/.`,
		Example: "  ingresslab build kubectl",
		Args:    noArgs,
		RunE: a.printed(func(ctx context.Context) (string, error) {
			o, err := a.buildOptions("kubectl")
			if err != nil {
				return "", err
			}
			return nodeimage.Kubectl(ctx, o)
		}),
	}
}

// buildOptions returns the options to build something from the checkout, with progress on the display.
func (a *app) buildOptions(of string) (nodeimage.Options, error) {
	root, err := a.checkout()
	return nodeimage.Options{Source: root, Progress: &nodeImageProgress{display: a.display, of: of}}, err
}

// ensureNodeImage implements kind.NodeImageFunc.
func (a *app) ensureNodeImage(ctx context.Context, _ cluster.Progress) (string, error) {
	return a.nodeImage(ctx, func(*nodeimage.Options) {})
}

func (a *app) nodeImage(ctx context.Context, adjust func(*nodeimage.Options)) (string, error) {
	o, err := a.buildOptions("Node image")
	if err != nil {
		return "", err
	}
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

func (p *nodeImageProgress) Begin(number, total int, name string) {
	p.stage = p.display.begin(fmt.Sprintf("%s [%d/%d] %s", p.of, number, total, name))
}

func (p *nodeImageProgress) Detail(text string) {
	if p.stage != nil {
		p.display.detail(p.stage, text)
	}
}

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

func (p *nodeImageProgress) Note(text string) { p.display.Note(text) }

func (a *app) imageCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "image",
		Short: "Manage images of the controller and demo workloads",
		Example: `  ingresslab image load
  ingresslab image save images.tar`,
	}
	asGroup(c)
	c.AddCommand(a.imageListCommand(), a.imageLoadCommand(), a.imageSaveCommand())
	return c
}

func (a *app) builtImages(ctx context.Context) (*image.Set, error) {
	root, err := a.checkout()
	if err != nil {
		return nil, err
	}
	return image.Build(ctx, image.Options{Root: root}, a.display)
}

func (a *app) imageListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the images of the controller and demo workloads",
		Example: "  ingresslab image list",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			set, err := a.builtImages(c.Context())
			if err != nil {
				return err
			}
			for _, i := range set.Images {
				printf(a.std.Out, "%s  %s\n", i.ID, strings.Join(i.Refs, " "))
			}
			return nil
		},
	}
}

func (a *app) imageLoadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "load [FILE...]",
		Short: "Load images into the cluster's nodes",
		Long: `Load images from archives of ` + "`docker save`" + ` (also with gzip) into the nodes that lack them. Without a
file, build and load the images of the controller and the demo workloads. The command does not
restart pods; ` + "`ingresslab up`" + ` also rolls out a new controller.`,
		Example: `  ingresslab image load
  docker save shop:1 | gzip > shop.tar.gz && ingresslab image load shop.tar.gz`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return a.loadImages(c.Context(), args) },
	}
}

// loadImages loads the images in archives into the cluster, or the images of the checkout if there are no archives.
func (a *app) loadImages(ctx context.Context, archives []string) error {
	// Read the files before looking for the cluster, so that a file error is reported first.
	var images []image.Image
	for _, path := range archives {
		found, err := image.ReadArchive(path)
		if err != nil {
			return err
		}
		images = append(images, found...)
	}
	provider, up, err := a.cluster(ctx)
	if err != nil {
		return err
	}
	if why, missing := up.Missing[cluster.ImageLoading]; missing {
		return usagef("cannot load images into cluster %q: %s", up.Name, why)
	}
	if len(archives) == 0 {
		set, err := a.builtImages(ctx)
		if err != nil {
			return err
		}
		images = set.Images
	}
	nodes, err := provider.ImageNodes(ctx, up.Name)
	if err != nil {
		return err
	}
	return image.Load(ctx, nodes, images, a.display)
}

func (a *app) imageSaveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "save FILE",
		Short: "Write images to an archive for an existing cluster",
		Long: `Build the images of the controller and the demo workloads, and write them to an archive in the format
of ` + "`docker save`" + `. Load the archive into the nodes of a cluster without a registry.`,
		Example: "  ingresslab image save images.tar && minikube image load images.tar",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("image save needs one file name, such as images.tar")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			set, err := a.builtImages(c.Context())
			if err != nil {
				return err
			}
			f, err := os.Create(filepath.Clean(args[0]))
			if err != nil {
				return err
			}
			return errors.Join(set.WriteArchive(f), f.Close())
		},
	}
}
