package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

// maxLayers is the maximum number of stacked layers. An image with more becomes one merged
// directory, because mount(2) accepts one page of options, and they have the path of each layer.
const maxLayers = 12

// whiteoutSuffix is the suffix of a layer's directory if the layer has whiteouts.
const whiteoutSuffix = ".wh"

// Import adds the images of a `docker save` archive. A reference that exists then means the new
// image. Import removes files that have no reference unless containers use them. An image that
// cannot be used does not block the others, and the error names each such image.
func (s *Store) Import(ctx context.Context, archive io.Reader) error {
	for _, dir := range []string{"layers", "merged"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o700); err != nil {
			return fmt.Errorf("image store: %w", err)
		}
	}
	release, err := filelock.Acquire(ctx, filepath.Join(s.dir, "import.lock"), func() {})
	if err != nil {
		return fmt.Errorf("image store: %w", err)
	}
	defer release()
	// The lock excludes other imports, so files in tmp are from an import that was killed.
	tmp := filepath.Join(s.dir, "tmp")
	if err := errors.Join(removeTree(tmp), os.Mkdir(tmp, 0o700)); err != nil {
		return fmt.Errorf("image store: %w", err)
	}
	path, err := s.saveArchive(ctx, archive)
	if err != nil {
		return fmt.Errorf("image archive: %w", err)
	}
	defer func() { _ = os.Remove(path) }() // otherwise, the next import removes it
	x, err := s.read()
	if err != nil {
		return err
	}
	failed := s.addAll(ctx, x, path)
	x.dropUnreferenced()
	if err := s.write(x); err != nil {
		return fmt.Errorf("image store: %w", err)
	}
	return errors.Join(failed, s.sweep(x))
}

// saveArchive saves the archive to a file, because its manifest can be at the end.
func (s *Store) saveArchive(ctx context.Context, archive io.Reader) (path string, err error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "archive-")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, contextReader{ctx, archive})
	return f.Name(), errors.Join(err, f.Close())
}

func (s *Store) addAll(ctx context.Context, x *index, path string) error {
	open := func() (io.ReadCloser, error) { return os.Open(filepath.Clean(path)) }
	manifest, err := tarball.LoadManifest(open)
	if err != nil {
		return fmt.Errorf("image archive: %w", err)
	}
	var failed error
	for _, d := range manifest {
		if len(d.RepoTags) == 0 {
			continue // without a reference, no pod can use it
		}
		if err := s.add(ctx, x, open, d.RepoTags); err != nil {
			failed = errors.Join(failed, fmt.Errorf("image %s: %w", d.RepoTags[0], err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

func (s *Store) add(ctx context.Context, x *index, open tarball.Opener, tags []string) error {
	var refs []name.Tag
	for _, t := range tags {
		tag, err := name.NewTag(t)
		if err != nil {
			return fmt.Errorf("reference %q: %w", t, err)
		}
		refs = append(refs, tag)
	}
	img, err := tarball.Image(open, &refs[0])
	if err != nil {
		return err
	}
	id, err := img.ConfigName()
	if err != nil {
		return err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	if err := runnable(config); err != nil {
		return err
	}
	r := &record{Config: config.Config}
	if err := s.addLayers(ctx, img, r); err != nil {
		return err
	}
	if err := s.assemble(r, id.Hex); err != nil {
		return err
	}
	x.Images[id.String()] = r
	for _, ref := range refs {
		x.Refs[ref.Name()] = id.String()
	}
	return nil
}

func runnable(c *v1.ConfigFile) error {
	if c.OS != "linux" || c.Architecture != runtime.GOARCH {
		return fmt.Errorf("built for %s/%s, but this machine is linux/%s", c.OS, c.Architecture, runtime.GOARCH)
	}
	return nil
}

func (s *Store) addLayers(ctx context.Context, img v1.Image, r *record) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		id, err := l.DiffID()
		if err != nil {
			return err
		}
		dir, err := s.addLayer(ctx, id, l)
		if err != nil {
			return fmt.Errorf("layer %s: %w", id, err)
		}
		r.Layers = append(r.Layers, dir)
	}
	return nil
}

// addLayer atomically unpacks a layer, unless it exists, and returns its directory.
func (s *Store) addLayer(ctx context.Context, id v1.Hash, l v1.Layer) (dir string, err error) {
	for _, dir := range []string{filepath.Join("layers", id.Hex), filepath.Join("layers", id.Hex+whiteoutSuffix)} {
		if _, err := os.Stat(filepath.Join(s.dir, dir)); err == nil {
			return dir, nil
		}
	}
	content, err := l.Uncompressed()
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }() // read only
	part := filepath.Join(s.dir, "tmp", id.Hex)
	whiteouts, err := unpack(contextReader{ctx, content}, part, id)
	if err != nil {
		return "", errors.Join(err, removeTree(part))
	}
	dir = filepath.Join("layers", id.Hex)
	if whiteouts {
		dir += whiteoutSuffix
	}
	return dir, os.Rename(part, filepath.Join(s.dir, dir))
}

// assemble selects the directories of an image: its layers, or one merged directory.
func (s *Store) assemble(r *record, hex string) error {
	merge := len(r.Layers) > maxLayers || len(r.Layers) == 0
	for _, l := range r.Layers {
		merge = merge || strings.HasSuffix(l, whiteoutSuffix)
	}
	if !merge {
		r.Dirs = r.Layers
		return nil
	}
	r.Dirs = []string{filepath.Join("merged", hex)}
	if _, err := os.Stat(filepath.Join(s.dir, r.Dirs[0])); err == nil {
		return nil
	}
	if err := mergeLayers(s.dir, r.Layers, filepath.Join("tmp", hex)); err != nil {
		return fmt.Errorf("merge layers: %w", err)
	}
	return os.Rename(filepath.Join(s.dir, "tmp", hex), filepath.Join(s.dir, r.Dirs[0]))
}

type contextReader struct {
	ctx context.Context // a field, because io.Reader has no parameter for it
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
