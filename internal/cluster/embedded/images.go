package embedded

import (
	"context"
	"errors"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// ImageNodes implements cluster.ImageStore. All nodes share one store, which stands for them all.
func (p *Provider) ImageNodes(_ context.Context, name string) ([]cluster.ImageNode, error) {
	return nil, errors.New("not built yet")
}
