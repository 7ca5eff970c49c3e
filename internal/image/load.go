package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Load loads the images that a node lacks, for all nodes in parallel.
func Load(ctx context.Context, nodes []cluster.ImageNode, images []Image, progress cluster.Progress) (err error) {
	missing := make([][]Image, len(nodes))
	g, gctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		g.Go(func() error {
			present, err := n.Images(gctx)
			missing[i] = lacking(present, images)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	outdated := 0
	for _, m := range missing {
		if len(m) > 0 {
			outdated++
		}
	}
	if outdated == 0 {
		return nil
	}
	done := progress.Step(fmt.Sprintf("Loading images into %d of %d nodes", outdated, len(nodes)))
	defer func() { done(err) }()
	g, gctx = errgroup.WithContext(ctx)
	for i, n := range nodes {
		if len(missing[i]) > 0 {
			g.Go(func() error { return send(gctx, n, missing[i]) })
		}
	}
	return g.Wait()
}

// lacking returns the images that a node does not have under all their references.
func lacking(present map[string]string, images []Image) []Image {
	return slices.DeleteFunc(slices.Clone(images), func(i Image) bool {
		return !slices.ContainsFunc(i.Refs, func(ref string) bool { return present[ref] != i.ID })
	})
}

// send streams an archive of the images into a node.
func send(ctx context.Context, n cluster.ImageNode, images []Image) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := writeArchive(w, images)
		w.CloseWithError(err) // nil is the end of the file
		written <- err
	}()
	err := n.Import(ctx, r)
	// If the node stops reading, the writer must not block.
	_ = r.CloseWithError(io.ErrClosedPipe)
	// After a write error, the node only reports an incomplete archive.
	if writeErr := <-written; writeErr != nil && !errors.Is(writeErr, io.ErrClosedPipe) {
		return writeErr
	}
	return err
}

// Push pushes images with the credentials of `docker login`, and skips what the registry has. It
// maps each reference to the one to pull, whose tag changes with the image.
func Push(ctx context.Context, registry string, images []Image, progress cluster.Progress) (refs map[string]string, err error) {
	done := progress.Step("Pushing images to " + registry)
	defer func() { done(err) }()
	refs = map[string]string{}
	for _, i := range images {
		ref, err := registryRef(registry, i)
		if err != nil {
			return nil, err
		}
		err = remote.Write(ref, i.img, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			return nil, fmt.Errorf("push %s: %w", ref, err)
		}
		for _, r := range i.Refs {
			refs[r] = ref.String()
		}
	}
	return refs, nil
}

// registryRef returns REGISTRY/cheese:cheddar-0123456789ab for the image cheese:cheddar.
func registryRef(registry string, i Image) (name.Tag, error) {
	ref, err := name.NewTag(strings.TrimSuffix(registry, "/") + "/" + i.Refs[0] + "-" + contentTag(i.ID))
	if err != nil {
		return name.Tag{}, fmt.Errorf("--registry %s: %w", registry, err)
	}
	return ref, nil
}
