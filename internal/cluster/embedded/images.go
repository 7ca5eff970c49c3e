package embedded

import (
	"context"
	"io"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// ImageNodes implements cluster.ImageStore. The nodes of a cluster share one store, which stands for them all.
func (p *Provider) ImageNodes(_ context.Context, name string) ([]cluster.ImageNode, error) {
	if _, err := p.existing(name); err != nil {
		return nil, err
	}
	return []cluster.ImageNode{imageNode{name, container.NewStore(p.store.imageDir(name))}}, nil
}

// imageNode is the nodes as a place for images.
type imageNode struct {
	name  string
	store *container.Store
}

// Name implements cluster.ImageNode.
func (n imageNode) Name() string { return n.name }

// Images implements cluster.ImageNode.
func (n imageNode) Images(context.Context) (map[string]string, error) { return n.store.Images() }

// Import implements cluster.ImageNode.
func (n imageNode) Import(ctx context.Context, archive io.Reader) error {
	return n.store.Import(ctx, archive)
}
