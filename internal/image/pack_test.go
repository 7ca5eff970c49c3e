package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// testSet packs all images from tiny programs.
func testSet(t *testing.T, controller string) *Set {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"ingress-controller": controller, "workload": "the workload"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	set, err := packAll(recipes(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestPackIsReproducible(t *testing.T) {
	a, b, other := testSet(t, "v1"), testSet(t, "v1"), testSet(t, "v2")
	for i := range a.Images {
		if a.Images[i].ID != b.Images[i].ID {
			t.Errorf("%s: %s and %s", a.Images[i].Refs[0], a.Images[i].ID, b.Images[i].ID)
		}
	}
	if a.Controller != b.Controller || a.Controller == other.Controller {
		t.Errorf("tags of the controller: %s and %s, with another program %s", a.Controller, b.Controller, other.Controller)
	}
	if a.Images[1].ID != other.Images[1].ID {
		t.Error("a workload's image changed with the controller")
	}
}

func TestRecipesHaveImagesOfLabs(t *testing.T) {
	set := testSet(t, "v1")
	var refs []string
	ids := map[string]bool{}
	for _, i := range set.Images {
		refs = append(refs, i.Refs...)
		ids[i.ID] = true
	}
	for _, want := range []string{
		"ingresslab/ingress-controller:0.1.0", set.Controller, "cheese:cheddar", "cheese:stilton", "cheese:wensleydale",
		"backend:8080", "backend:9090", "default-backend:1.0", "net-test:1.0",
	} {
		if !slices.Contains(refs, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if len(ids) != len(set.Images) {
		t.Errorf("%d images have %d IDs", len(set.Images), len(ids))
	}
	for _, ref := range refs {
		if strings.HasSuffix(ref, ":latest") {
			t.Errorf("%s is not a fixed tag", ref)
		}
	}
}

// The test reads the archive with the library of other tools.
func TestArchiveContainsAllImages(t *testing.T) {
	set := testSet(t, "v1")
	var archive bytes.Buffer
	if err := writeArchive(&archive, set.Images); err != nil {
		t.Fatal(err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	manifest, err := tarball.LoadManifest(open)
	if err != nil || len(manifest) != len(set.Images) {
		t.Fatalf("%d images in the archive, %v; want %d", len(manifest), err, len(set.Images))
	}
	for _, d := range manifest {
		if len(d.RepoTags) == 2 {
			slices.Sort(d.RepoTags)
			if d.RepoTags[0] != "ingresslab/ingress-controller:0.1.0" || d.RepoTags[1] != set.Controller {
				t.Errorf("tags of the controller: %q", d.RepoTags)
			}
		}
	}
}

func TestControllerIsNotRootAndToolsHaveLinks(t *testing.T) {
	set := testSet(t, "v1")
	cfg, err := set.Images[0].img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Config.User != "65532:65532" || cfg.OS != "linux" || cfg.Config.Entrypoint[0] != "/ingress-controller" {
		t.Errorf("controller: %+v", cfg.Config)
	}
	tools := set.Images[len(set.Images)-1]
	layers, err := tools.img.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("%s: %d layers, %v", tools.Refs[0], len(layers), err)
	}
	r, err := layers[1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 {
			t.Errorf("%s: time %v, user %d", h.Name, h.ModTime, h.Uid)
		}
		links = append(links, h.Name+"->"+h.Linkname)
	}
	if got := strings.Join(links, " "); got != "bin/curl->/workload bin/nslookup->/workload bin/wget->/workload" {
		t.Errorf("links: %s", got)
	}
}
