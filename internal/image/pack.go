package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is a container image to load.
type Image struct {
	Refs []string // references without a registry: "cheese:cheddar"
	ID   string   // the digest of the configuration, which includes the digests of the layers

	img v1.Image
}

// contentTagLength is the number of hexadecimal digits of the ID in a tag.
const contentTagLength = 12

// contentTag returns a tag that is different for each content of the image.
func contentTag(id string) string {
	_, hex, _ := strings.Cut(id, ":")
	return hex[:contentTagLength]
}

// pack builds the image of a recipe from the layer that contains its program.
func pack(r recipe, program v1.Layer) (Image, error) {
	layers := []v1.Layer{program}
	if len(r.links) > 0 {
		l, err := linkLayer("/"+r.program, r.links)
		if err != nil {
			return Image{}, err
		}
		layers = append(layers, l)
	}
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return Image{}, err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	cfg.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	cfg.History = nil
	cfg.Config = v1.Config{
		Entrypoint: r.entrypoint, Cmd: r.cmd, User: r.user, WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":   r.program,
			"org.opencontainers.image.version": Version,
		},
	}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		return Image{}, err
	}
	id, err := img.ConfigName()
	return Image{Refs: r.refs, ID: id.String(), img: img}, err
}

// programLayer returns an uncompressed layer with one executable file.
func programLayer(program string, binary []byte) (v1.Layer, error) {
	return layer(func(w *tar.Writer) error {
		h := header(program)
		h.Typeflag, h.Mode, h.Size = tar.TypeReg, 0o755, int64(len(binary))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(binary)
		return err
	}, len(binary))
}

// linkLayer returns a layer with the links, which are symbolic links to the file to.
func linkLayer(to string, links []string) (v1.Layer, error) {
	return layer(func(w *tar.Writer) error {
		for _, l := range links {
			h := header(l)
			h.Typeflag, h.Mode, h.Linkname = tar.TypeSymlink, 0o777, to
			if err := w.WriteHeader(h); err != nil {
				return err
			}
		}
		return nil
	}, 0)
}

// header returns a header that is equal on every machine: time zero, owner root.
func header(name string) *tar.Header {
	return &tar.Header{Name: name, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

func layer(fill func(*tar.Writer) error, size int) (v1.Layer, error) {
	const overhead = 8 << 10 // headers and final padding
	buf := bytes.NewBuffer(make([]byte, 0, size+overhead))
	w := tar.NewWriter(buf)
	if err := fill(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return static.NewLayer(buf.Bytes(), types.DockerUncompressedLayer), nil
}

// WriteArchive writes all images in the format of `docker save`, for nodes that are loaded by hand.
func (s *Set) WriteArchive(w io.Writer) error { return writeArchive(w, s.Images) }

// writeArchive writes images in the format of `docker save`. It writes each shared layer once.
func writeArchive(w io.Writer, images []Image) error {
	byRef := map[name.Reference]v1.Image{}
	for _, i := range images {
		for _, ref := range i.Refs {
			tag, err := name.NewTag(ref)
			if err != nil {
				return fmt.Errorf("image %s: %w", ref, err)
			}
			byRef[tag] = i.img
		}
	}
	if err := tarball.MultiRefWrite(byRef, w); err != nil {
		return fmt.Errorf("write image archive: %w", err)
	}
	return nil
}

// ReadArchive returns the images of a `docker save` archive, which can be compressed with gzip.
// Load reads the file again. An image without a tag or for a different platform is an error.
func ReadArchive(path string) ([]Image, error) {
	path = filepath.Clean(path)
	// Open the file first, because the error of the tar reader would be less clear.
	f, err := openArchive(path)
	if err != nil {
		return nil, err // err contains the path
	}
	_ = f.Close() // it was only read
	open := func() (io.ReadCloser, error) { return openArchive(path) }
	manifest, err := tarball.LoadManifest(open)
	if err != nil {
		return nil, fmt.Errorf("%s is not an archive created by `docker save`: %w", path, err)
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
		return Image{}, fmt.Errorf("built for %s/%s, but the nodes are linux/%s", config.OS, config.Architecture, runtime.GOARCH)
	}
	id, err := img.ConfigName()
	if err != nil {
		return Image{}, err
	}
	plain, err := uncompressed(img)
	return Image{Refs: d.RepoTags, ID: id.String(), img: plain}, err
}

// plainImage has the same configuration and ID, but uncompressed layers for local nodes.
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

// archiveFile is an open archive. If the archive is compressed, reads decompress it.
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
