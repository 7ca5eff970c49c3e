package image

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// someImage returns an image with two layers for an architecture.
func someImage(t *testing.T, arch string) v1.Image {
	t.Helper()
	img, err := random.Image(2000, 2)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// saved writes an archive with compressed layers, like other tools, and returns its path.
func saved(t *testing.T, images map[string]v1.Image) string {
	t.Helper()
	byRef := map[name.Reference]v1.Image{}
	for ref, img := range images {
		byRef[reference(t, ref)] = img
	}
	path := filepath.Join(t.TempDir(), "images.tar")
	if err := tarball.MultiRefWriteToFile(path, byRef); err != nil {
		t.Fatal(err)
	}
	return path
}

func reference(t *testing.T, text string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// receiver is a node that stores the imported archive.
type receiver struct {
	fakeNode
	archive []byte
}

func (n *receiver) Import(_ context.Context, archive io.Reader) (err error) {
	n.archive, err = io.ReadAll(archive)
	return err
}

func TestLoadKeepsImagesOfArchive(t *testing.T) {
	img := someImage(t, runtime.GOARCH)
	id, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	path := saved(t, map[string]v1.Image{"web:1": img, "registry.test/team/web:1": img, "other:2": someImage(t, runtime.GOARCH)})
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	if _, err := w.Write(plain); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	gzipped := path + ".gz"
	if err := os.WriteFile(gzipped, small.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, gzipped} {
		images, err := ReadArchive(path)
		if err != nil {
			t.Fatal(err)
		}
		node := &receiver{}
		if err := Load(t.Context(), []cluster.ImageNode{node}, images, cluster.Quiet{}); err != nil {
			t.Fatal(err)
		}
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(node.archive)), nil }
		for _, ref := range []string{"web:1", "registry.test/team/web:1"} {
			tag := reference(t, ref).(name.Tag)
			got, err := tarball.Image(open, &tag)
			if err != nil {
				t.Fatal(err)
			}
			if gotID, err := got.ConfigName(); err != nil || gotID != id {
				t.Errorf("%s: %s: ID %v, %v; want %v", path, ref, gotID, err, id)
			}
			if want, got := content(t, img), content(t, got); !slices.Equal(got, want) {
				t.Errorf("%s: the layers of %s differ from the archive", path, ref)
			}
		}
	}
}

// content returns the content of an image's layers.
func content(t *testing.T, img v1.Image) (all []string) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(data))
	}
	return all
}

func TestLoadSkipsImageOfArchiveOnNode(t *testing.T) {
	images, err := ReadArchive(saved(t, map[string]v1.Image{"web:1": someImage(t, runtime.GOARCH)}))
	if err != nil {
		t.Fatal(err)
	}
	node := &fakeNode{images: map[string]string{"web:1": images[0].ID}}
	if err := Load(t.Context(), []cluster.ImageNode{node}, images, cluster.Quiet{}); err != nil || len(node.imported) > 0 {
		t.Errorf("imported %q, %v", node.imported, err)
	}
}

func TestReadArchiveRejectsUnusableArchives(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"missing file": {filepath.Join(dir, "missing.tar"), "missing.tar"},
		"no archive":   {text, "is not an archive created by `docker save`"},
		"other processor": {saved(t, map[string]v1.Image{"web:1": someImage(t, "mips")}),
			"image web:1: built for linux/mips, but the nodes are linux/" + runtime.GOARCH},
		"untagged": {saved(t, map[string]v1.Image{"web@sha256:" + strings.Repeat("a", 64): someImage(t, runtime.GOARCH)}),
			"docker save NAME:TAG"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadArchive(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
