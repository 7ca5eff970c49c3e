package cluster

import (
	"context"
	"io"
)

// ImageStore is a Provider whose nodes take images from this machine, without
// a registry.
type ImageStore interface {
	// ImageNodes returns the nodes of a cluster.
	ImageNodes(ctx context.Context, name string) ([]ImageNode, error)
}

// ImageNode is a node as a place for container images.
type ImageNode interface {
	// Name of the node.
	Name() string
	// Images returns the images the node holds: from each reference, without a
	// registry ("cheese:cheddar"), to the image's ID ("sha256:..."), which is
	// the digest of its configuration.
	Images(ctx context.Context) (map[string]string, error)
	// Import adds the images of an archive in the format of `docker save`.
	Import(ctx context.Context, archive io.Reader) error
}
