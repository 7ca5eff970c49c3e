package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/image"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// removeTimeout bounds the removal of a cluster after a failure or a Ctrl-C.
const removeTimeout = 2 * time.Minute

// Lab is what Up brings up and where from.
type Lab struct {
	// Provider makes the cluster.
	Provider cluster.Provider
	// Root is the checkout that holds the sources and the manifests.
	Root string
	// CacheDir is handed to image.Build.
	CacheDir string
	// Progress hears of every step.
	Progress cluster.Progress
}

// Up makes sure that the cluster exists, that the images on its nodes are
// those of the sources, that the controller is installed and that the ingress
// answers. All of it is idempotent, and takes a second or two when there is
// nothing to do. If it fails or ctx ends, a cluster that it created is removed
// again, unless spec says to keep it; one that existed stays.
func (l Lab) Up(ctx context.Context, spec cluster.Spec) (*cluster.Cluster, error) {
	c, set, err := l.prepare(ctx, spec)
	if err == nil {
		err = l.furnish(ctx, c, set)
	}
	if err == nil {
		return c, l.keep(ctx, c)
	}
	if c == nil {
		return nil, err
	}
	if !c.Created {
		return nil, errors.Join(err, l.keep(ctx, c))
	}
	if spec.KeepOnFailure {
		l.Progress.Note(fmt.Sprintf("kept cluster %q as it is; `ingresslab export-logs` and `ingresslab down` work on it", c.Name))
		return nil, errors.Join(err, l.keep(ctx, c))
	}
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	return nil, errors.Join(err, l.Provider.Down(down, c.Name, l.Progress))
}

// keep lets the cluster outlive this program. Until then a provider may tie the two together, so that nothing is left of a
// program that is killed in the middle.
func (l Lab) keep(ctx context.Context, c *cluster.Cluster) error {
	if keeper, ok := l.Provider.(cluster.Keeper); ok {
		return keeper.Keep(ctx, c.Name)
	}
	return nil
}

// prepare brings up the cluster and builds the images at the same time, for
// the one waits a lot and the other computes. The cluster is returned even if
// the images cannot be built.
func (l Lab) prepare(ctx context.Context, spec cluster.Spec) (*cluster.Cluster, *image.Set, error) {
	var c *cluster.Cluster
	var set *image.Set
	g, gctx := errgroup.WithContext(ctx)
	// Without a cluster there is nothing to build for. The builder is stopped without a cause, for what became of the
	// cluster is not its news to tell.
	building, stop := context.WithCancel(ctx)
	defer stop()
	g.Go(func() (err error) {
		if c, err = l.Provider.Up(gctx, spec, l.Progress); err != nil {
			stop()
		}
		return err
	})
	g.Go(func() (err error) {
		set, err = image.Build(building, image.Options{Root: l.Root, CacheDir: l.CacheDir}, l.Progress)
		return err
	})
	err := g.Wait()
	return c, set, err
}

// furnish puts the images and the controller into a cluster, while the rest of it comes up.
func (l Lab) furnish(ctx context.Context, c *cluster.Cluster, set *image.Set) error {
	g, ctx := errgroup.WithContext(ctx)
	if settler, ok := l.Provider.(cluster.Settler); ok && c.Created {
		g.Go(func() error { return settler.Settle(ctx, c.Name, l.Progress) })
	}
	g.Go(func() error { return l.equip(ctx, c, set) })
	return g.Wait()
}

func (l Lab) equip(ctx context.Context, c *cluster.Cluster, set *image.Set) error {
	if store, ok := l.Provider.(cluster.ImageStore); ok {
		nodes, err := store.ImageNodes(ctx, c.Name)
		if err != nil {
			return err
		}
		if err := image.Load(ctx, nodes, set.Images, l.Progress); err != nil {
			return err
		}
	}
	if guest, ok := l.Provider.(cluster.Guest); ok {
		return l.visit(ctx, guest, c, set)
	}
	objs, err := Render(l.Root, variant, set.Controller)
	if err != nil {
		return err
	}
	client, err := kube.New(c.Config)
	if err != nil {
		return err
	}
	if err := install(ctx, client, objs, l.Progress); err != nil {
		return err
	}
	return awaitIngress(ctx, c.Addresses, l.Progress)
}
