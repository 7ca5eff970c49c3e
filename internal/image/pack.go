package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
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
	// Refs are its references without a registry: "cheese:cheddar".
	Refs []string
	// ID is the digest of its configuration, which includes the digests of its layers.
	ID string

	img v1.Image
}

// contentTagLength is the number of hexadecimal digits of the ID in a tag.
const contentTagLength = 12

// contentTag returns a tag that changes with the image.
func contentTag(id string) string {
	_, hex, _ := strings.Cut(id, ":")
	return hex[:contentTagLength]
}

// pack builds the image of a recipe from the layer of its program.
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

// linkLayer returns a layer of symbolic links to one file.
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

// header returns a header that is the same on every machine: time zero, owner root.
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

// writeArchive writes images in the format of `docker save`. It writes a shared layer once.
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
