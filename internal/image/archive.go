package image

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ReadArchive returns the images of a file in the format of `docker save`, which may be compressed with gzip as for `docker
// load`. The file is read again when they are loaded, and must not change until then. An image that no node could run, or no
// pod could name, is an error.
func ReadArchive(path string) ([]Image, error) {
	path = filepath.Clean(path)
	// What is no archive says so the better the earlier: a tar reader would only miss a file in it.
	f, err := openArchive(path)
	if err != nil {
		return nil, err // it names the file
	}
	_ = f.Close() // only read
	open := func() (io.ReadCloser, error) { return openArchive(path) }
	manifest, err := tarball.LoadManifest(open)
	if err != nil {
		return nil, fmt.Errorf("%s is no archive of `docker save`: %w", path, err)
	}
	if len(manifest) == 0 {
		return nil, fmt.Errorf("%s holds no image", path)
	}
	var list []Image
	for _, d := range manifest {
		i, err := archived(open, d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, i)
	}
	return list, nil
}

// archived is one image of an archive.
func archived(open tarball.Opener, d tarball.Descriptor) (Image, error) {
	if len(d.RepoTags) == 0 {
		return Image{}, errors.New("it holds an image that has no name; save it by its name: docker save NAME:TAG")
	}
	tag, err := name.NewTag(d.RepoTags[0])
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", d.RepoTags[0], err)
	}
	i, err := unpacked(open, tag)
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", d.RepoTags[0], err)
	}
	i.Refs = d.RepoTags
	return i, nil
}

func unpacked(open tarball.Opener, tag name.Tag) (Image, error) {
	img, err := tarball.Image(open, &tag)
	if err != nil {
		return Image{}, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		return Image{}, fmt.Errorf("it is for %s/%s, the nodes are linux/%s", config.OS, config.Architecture, runtime.GOARCH)
	}
	id, err := img.ConfigName()
	if err != nil {
		return Image{}, err
	}
	plain, err := uncompressed(img)
	return Image{ID: id.String(), img: plain}, err
}

// plainImage is an image with its layers as they are before compression: they never travel farther than into a node of this
// machine. The configuration stays as it is, byte for byte, and so does the image's ID.
type plainImage struct {
	config   []byte
	manifest []byte
	layers   map[v1.Hash]plainLayer
}

func uncompressed(img v1.Image) (v1.Image, error) {
	config, err := img.RawConfigFile()
	if err != nil {
		return nil, err
	}
	id, err := img.ConfigName()
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	p := &plainImage{config: config, layers: map[v1.Hash]plainLayer{}}
	m := v1.Manifest{
		SchemaVersion: 2, MediaType: types.DockerManifestSchema2,
		Config: v1.Descriptor{MediaType: types.DockerConfigJSON, Size: int64(len(config)), Digest: id},
	}
	for _, l := range layers {
		plain, err := newPlainLayer(l)
		if err != nil {
			return nil, err
		}
		p.layers[plain.id] = plain
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: types.DockerUncompressedLayer, Size: plain.size, Digest: plain.id})
	}
	if p.manifest, err = json.Marshal(m); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(p)
}

// RawConfigFile implements partial.CompressedImageCore.
func (p *plainImage) RawConfigFile() ([]byte, error) { return p.config, nil }

// RawManifest implements partial.CompressedImageCore.
func (p *plainImage) RawManifest() ([]byte, error) { return p.manifest, nil }

// MediaType implements partial.CompressedImageCore.
func (p *plainImage) MediaType() (types.MediaType, error) { return types.DockerManifestSchema2, nil }

// LayerByDigest implements partial.CompressedImageCore.
func (p *plainImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	l, found := p.layers[h]
	if !found {
		return nil, fmt.Errorf("no layer %s", h)
	}
	return l, nil
}

// plainLayer is a layer whose digest is that of its content.
type plainLayer struct {
	layer v1.Layer
	id    v1.Hash
	size  int64
}

// newPlainLayer reads a layer once, for its size.
func newPlainLayer(l v1.Layer) (plainLayer, error) {
	id, err := l.DiffID()
	if err != nil {
		return plainLayer{}, err
	}
	content, err := l.Uncompressed()
	if err != nil {
		return plainLayer{}, fmt.Errorf("layer %s: %w", id, err)
	}
	defer func() { _ = content.Close() }() // only read
	size, err := io.Copy(io.Discard, content)
	if err != nil {
		return plainLayer{}, fmt.Errorf("layer %s: %w", id, err)
	}
	return plainLayer{layer: l, id: id, size: size}, nil
}

// Digest implements partial.CompressedLayer.
func (l plainLayer) Digest() (v1.Hash, error) { return l.id, nil }

// Compressed implements partial.CompressedLayer.
func (l plainLayer) Compressed() (io.ReadCloser, error) { return l.layer.Uncompressed() }

// Size implements partial.CompressedLayer.
func (l plainLayer) Size() (int64, error) { return l.size, nil }

// MediaType implements partial.CompressedLayer.
func (l plainLayer) MediaType() (types.MediaType, error) { return types.DockerUncompressedLayer, nil }

// archiveFile is an open archive, behind what decompresses it if need be.
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
	// The two bytes that every gzip file begins with (RFC 1952, section 2.3.1).
	if begin, err := buffered.Peek(2); err != nil || !bytes.Equal(begin, []byte{0x1f, 0x8b}) {
		return archiveFile{buffered, f}, nil
	}
	content, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return archiveFile{content, f}, nil
}
