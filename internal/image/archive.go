package image

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ReadArchive returns the images of a `docker save` archive, optionally with gzip. The file is read
// again on load. An image without a tag or for another platform is an error.
func ReadArchive(path string) ([]Image, error) {
	path = filepath.Clean(path)
	// Open the file first, because the error of the tar reader would be less clear.
	f, err := openArchive(path)
	if err != nil {
		return nil, err // it contains the path
	}
	_ = f.Close() // it was only read
	open := func() (io.ReadCloser, error) { return openArchive(path) }
	manifest, err := tarball.LoadManifest(open)
	if err != nil {
		return nil, fmt.Errorf("%s is not an archive of `docker save`: %w", path, err)
	}
	if len(manifest) == 0 {
		return nil, fmt.Errorf("%s contains no image", path)
	}
	var list []Image
	for _, d := range manifest {
		i, err := readImage(open, d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, i)
	}
	return list, nil
}

// readImage returns one image of an archive.
func readImage(open tarball.Opener, d tarball.Descriptor) (_ Image, err error) {
	if len(d.RepoTags) == 0 {
		return Image{}, errors.New("archive contains an untagged image; create the archive with `docker save NAME:TAG`")
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("image %s: %w", d.RepoTags[0], err)
		}
	}()
	tag, err := name.NewTag(d.RepoTags[0])
	if err != nil {
		return Image{}, err
	}
	img, err := tarball.Image(open, &tag)
	if err != nil {
		return Image{}, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		return Image{}, fmt.Errorf("it is for %s/%s, but the nodes are linux/%s", config.OS, config.Architecture, runtime.GOARCH)
	}
	id, err := img.ConfigName()
	if err != nil {
		return Image{}, err
	}
	plain, err := uncompressed(img)
	return Image{Refs: d.RepoTags, ID: id.String(), img: plain}, err
}

// plainImage is an image with uncompressed layers, because they only go to nodes on this machine. Its
// configuration is the same, byte for byte, and so is its ID.
type plainImage struct {
	v1.Image
	layers   []v1.Layer
	manifest *v1.Manifest
}

func (p *plainImage) Layers() ([]v1.Layer, error)     { return p.layers, nil }
func (p *plainImage) Manifest() (*v1.Manifest, error) { return p.manifest, nil }

// plainLayer is a layer with the digest and the size of its uncompressed content.
type plainLayer struct {
	v1.Layer
	size int64
}

func (l plainLayer) Digest() (v1.Hash, error)            { return l.DiffID() }
func (l plainLayer) Compressed() (io.ReadCloser, error)  { return l.Uncompressed() }
func (l plainLayer) Size() (int64, error)                { return l.size, nil }
func (l plainLayer) MediaType() (types.MediaType, error) { return types.DockerUncompressedLayer, nil }

func uncompressed(img v1.Image) (v1.Image, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	p := &plainImage{Image: img, manifest: m.DeepCopy()}
	p.manifest.Layers = nil
	for _, l := range layers {
		id, err := l.DiffID()
		if err != nil {
			return nil, err
		}
		content, err := l.Uncompressed()
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", id, err)
		}
		size, err := io.Copy(io.Discard, content)
		if err = errors.Join(err, content.Close()); err != nil {
			return nil, fmt.Errorf("layer %s: %w", id, err)
		}
		p.layers = append(p.layers, plainLayer{l, size})
		d := v1.Descriptor{MediaType: types.DockerUncompressedLayer, Size: size, Digest: id}
		p.manifest.Layers = append(p.manifest.Layers, d)
	}
	return p, nil
}

// archiveFile is an open archive, decompressed if necessary.
type archiveFile struct {
	io.Reader
	io.Closer
}

func openArchive(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReader(f)
	// Every gzip file starts with these two bytes (RFC 1952, section 2.3.1).
	if begin, err := buffered.Peek(2); err != nil || !bytes.Equal(begin, []byte{0x1f, 0x8b}) {
		return archiveFile{buffered, f}, nil
	}
	content, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return archiveFile{content, f}, nil
}
