package deploy

import (
	"context"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/image"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// visit is furnish for a cluster that is not the lab's own. Nothing is changed, and nothing pushed, before the provider has
// admitted what would be made.
func (l Lab) visit(ctx context.Context, guest cluster.Guest, c *cluster.Cluster, set *image.Set) error {
	objs, err := Render(l.Root, guest.Manifests(), set.Controller)
	if err != nil {
		return err
	}
	if err := guest.Admit(ctx, c, objs, l.Progress); err != nil {
		return err
	}
	if registry := guest.Registry(c.Name); registry != "" {
		if c.Lent.Images, err = image.Push(ctx, registry, set.Images, l.Progress); err != nil {
			return err
		}
		if objs, err = Render(l.Root, guest.Manifests(), c.Lent.Images[set.Controller]); err != nil {
			return err
		}
	}
	client, err := kube.New(c.Config)
	if err != nil {
		return err
	}
	if err := install(ctx, client, objs, l.Progress); err != nil {
		return err
	}
	if c.Addresses, err = guest.Reach(ctx, c, l.Progress); err != nil {
		return err
	}
	return awaitIngress(ctx, c.Addresses, l.Progress)
}
