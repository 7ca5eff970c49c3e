package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Load brings every node to hold exactly these images under these references.
// A node that holds them already is sent nothing. Nodes are served in
// parallel.
func Load(ctx context.Context, nodes []cluster.ImageNode, images []Image, progress cluster.Progress) (err error) {
	missing := make([][]Image, len(nodes))
	g, gctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		g.Go(func() error {
			has, err := n.Images(gctx)
			missing[i] = lacking(has, images)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	behind := 0
	for _, m := range missing {
		if len(m) > 0 {
			behind++
		}
	}
	if behind == 0 {
		return nil
	}
	done := progress.Step(fmt.Sprintf("Loading images into %d of %d nodes", behind, len(nodes)))
	defer func() { done(err) }()
	g, gctx = errgroup.WithContext(ctx)
	for i, n := range nodes {
		if len(missing[i]) > 0 {
			g.Go(func() error { return send(gctx, n, missing[i]) })
		}
	}
	return g.Wait()
}

// lacking returns the images that a node does not hold under all their
// references.
func lacking(has map[string]string, images []Image) []Image {
	var lacks []Image
	for _, i := range images {
		for _, ref := range i.Refs {
			if has[ref] != i.ID {
				lacks = append(lacks, i)
				break
			}
		}
	}
	return lacks
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
	// A node that stopped reading must not leave the writer waiting.
	_ = r.CloseWithError(io.ErrClosedPipe)
	// A node complains about half an archive when the reason is here.
	if writeErr := <-written; writeErr != nil && !errors.Is(writeErr, io.ErrClosedPipe) {
		return writeErr
	}
	return err
}
