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

func (a *app) buildNodeImageCommand() *cobra.Command {
	var force, offline bool
	c := &cobra.Command{
		Use:   "node-image",
		Short: "Find, pull or build the image that nodes run",
		Long: `Have the image that the cluster's nodes run in Docker: one that is there, else kind's own
where a registry answers, else one that is built from Go modules and Debian packages.
Interrupted, it takes up the next time where it was. Prints the image's reference.`,
		Example: "  ingresslab build node-image",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ref, err := a.nodeImage(c.Context(), func(o *nodeimage.Options) { o.Force, o.Offline = force, offline })
			if err != nil {
				return err
			}
			printf(a.std.Out, "%s\n", ref)
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "build it even if there is one")
	c.Flags().BoolVar(&offline, "offline", false, "ask no registry")
	return c
}

// ensureNodeImage is the kind.NodeImageFunc of this program.
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

// nodeImageProgress shows the stages of a build on the display. A stage
// that an earlier build has done is not worth a line.
type nodeImageProgress struct {
	display *display
	of      string // what is built
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
		p.display.end(p.stage, errors.New(outcome)) // Ensure returns what it was
	default:
		p.display.end(p.stage, nil)
	}
	p.stage = nil
}

// Note implements nodeimage.Progress.
func (p *nodeImageProgress) Note(text string) { p.display.Note(text) }

// builtImages compiles and packs all images of the checkout.
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
		Short:   "List the images of the controller and the demo workloads",
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
		Short: "Load images into the nodes of the cluster: archives of `docker save`, or the lab's own",
		Long: `Load images into the nodes of the cluster that lack them: those of archives that ` + "`docker save`" + ` wrote
(gzip is fine, too), or, if no file is named, those of the controller and the demo workloads,
which are built first. Pods that run are not restarted; ` + "`ingresslab up`" + ` also rolls out a
new controller.`,
		Example: `  ingresslab image load
  docker save shop:1 | gzip > shop.tar.gz && ingresslab image load shop.tar.gz`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return a.loadImages(c.Context(), args) },
	}
}

// loadImages loads the images of archives into the cluster; if there are none, the lab's own.
func (a *app) loadImages(ctx context.Context, archives []string) error {
	// Files that cannot be read are known at once, whatever the cluster is.
	images, err := readArchives(archives)
	if err != nil {
		return err
	}
	provider, up, err := a.cluster(ctx)
	if err != nil {
		return err
	}
	store, ok := provider.(cluster.ImageStore)
	if !ok {
		return usagef("clusters made with %s take no images", provider.Name())
	}
	if len(archives) == 0 {
		set, err := a.builtImages(ctx)
		if err != nil {
			return err
		}
		images = set.Images
	}
	nodes, err := store.ImageNodes(ctx, up.Name)
	if err != nil {
		return err
	}
	return image.Load(ctx, nodes, images, a.display)
}

func readArchives(paths []string) ([]image.Image, error) {
	var all []image.Image
	for _, path := range paths {
		images, err := image.ReadArchive(path)
		if err != nil {
			return nil, err
		}
		all = append(all, images...)
	}
	return all, nil
}

func (a *app) imageSaveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "save FILE",
		Short:   "Write the images into an archive, for the nodes of an existing cluster",
		Long:    "Build the images of the controller and the demo workloads and write them into an archive in the format of\n`docker save`, to be loaded by hand into the nodes of a cluster that has no registry.",
		Example: "  ingresslab image save images.tar && minikube image load images.tar",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("image save takes the name of one file")
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
