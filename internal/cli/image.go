package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/image"
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

// builtImages builds all images of the checkout.
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
