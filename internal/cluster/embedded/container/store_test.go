package container_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// file is an entry of a layer. A name that ends in a slash is a directory.
type file struct {
	name, content, link string
	kind                byte
	mode                int64
}

func layerOf(t testing.TB, files ...file) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Linkname: f.link, Typeflag: f.kind}
		if strings.HasSuffix(f.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(buf.Bytes(), types.DockerUncompressedLayer)
}

func imageOf(t testing.TB, config v1.Config, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Config = "linux", runtime.GOARCH, config
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

// archive returns an archive in the format of `docker save`.
func archive(t testing.TB, images map[string]v1.Image) *bytes.Buffer {
	t.Helper()
	byRef := map[name.Reference]v1.Image{}
	for ref, img := range images {
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		byRef[tag] = img
	}
	var buf bytes.Buffer
	if err := tarball.MultiRefWrite(byRef, &buf); err != nil {
		t.Fatal(err)
	}
	return &buf
}

func imported(t testing.TB, s *container.Store, images map[string]v1.Image) {
	t.Helper()
	if err := s.Import(t.Context(), archive(t, images)); err != nil {
		t.Fatal(err)
	}
}

func found(t testing.TB, s *container.Store, ref string) *container.Image {
	t.Helper()
	i, err := s.Find(ref)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestFindResolvesReferencesLikeDocker(t *testing.T) {
	s := container.NewStore(filepath.Join(t.TempDir(), "images"))
	img := imageOf(t, v1.Config{Entrypoint: []string{"/app"}, User: "7"}, layerOf(t, file{name: "app", content: "x"}))
	imported(t, s, map[string]v1.Image{
		"cheese:cheddar": img, "backend": img, "example.test:5000/team/shop:1": img,
	})
	alias := strings.TrimPrefix(name.DefaultRegistry, "index.")
	id := found(t, s, "cheese:cheddar").ID
	for _, ref := range []string{
		"backend", "backend:latest", "library/cheese:cheddar", name.DefaultRegistry + "/library/cheese:cheddar",
		alias + "/library/cheese:cheddar", alias + "/cheese:cheddar", "example.test:5000/team/shop:1", id,
	} {
		i := found(t, s, ref)
		if i.ID != id || i.Ref != ref || i.User != "7" || !slices.Equal(i.Entrypoint, []string{"/app"}) {
			t.Errorf("%s: got %+v", ref, i)
		}
	}
	got, err := s.Images()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got["cheese:cheddar"] != id || got["backend:latest"] != id || got["example.test:5000/team/shop:1"] != id {
		t.Errorf("images: %v", got)
	}
}

func TestUnknownImageErrorListsKnownImages(t *testing.T) {
	s := container.NewStore(t.TempDir())
	img := imageOf(t, v1.Config{}, layerOf(t))
	imported(t, s, map[string]v1.Image{"cheese:stilton": img, "cheese:cheddar": img})
	for _, ref := range []string{"cheese", "nginx:1.27", "example.test/cheese:cheddar", "sha256:" + strings.Repeat("0", 64)} {
		_, err := s.Find(ref)
		var unknown *container.UnknownImageError
		if !errors.As(err, &unknown) || unknown.Ref != ref ||
			!slices.Equal(unknown.Known, []string{"cheese:cheddar", "cheese:stilton"}) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, ref := range []string{"", "Cheese", "a b", "cheese:"} {
		_, err := s.Find(ref)
		var invalid *container.InvalidImageError
		if !errors.As(err, &invalid) || invalid.Ref != ref {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

// tree returns the files of an image's directories by name.
func tree(t *testing.T, i *container.Image) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, l := range i.Layers {
		err := filepath.WalkDir(l, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			rel, _ := filepath.Rel(l, path)
			if e.Type() == fs.ModeSymlink {
				to, err := os.Readlink(path)
				files[rel] = "-> " + to
				return err
			}
			data, err := os.ReadFile(path)
			files[rel] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestWhiteoutsHideLowerLayers(t *testing.T) {
	s := container.NewStore(t.TempDir())
	img := imageOf(t, v1.Config{},
		layerOf(t, file{name: "etc/"}, file{name: "etc/a", content: "1"}, file{name: "etc/b", content: "1"},
			file{name: "var/cache/x", content: "1"}, file{name: "dir/f", content: "1"}, file{name: "was-file", content: "1"},
			file{name: "link", link: "etc", kind: tar.TypeSymlink}),
		layerOf(t, file{name: "etc/.wh.a"}, file{name: "var/cache/.wh..wh..opq"}, file{name: "var/cache/y", content: "2"},
			file{name: "dir", content: "2"}, file{name: "was-file/"}, file{name: "was-file/g", content: "2"},
			file{name: "link/"}, file{name: "link/own", content: "2"}, file{name: ".wh..."}),
	)
	imported(t, s, map[string]v1.Image{"x:1": img})
	got := tree(t, found(t, s, "x:1"))
	want := map[string]string{"etc/b": "1", "var/cache/y": "2", "dir": "2", "was-file/g": "2", "link/own": "2"}
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%s: %q, want %q", name, got[name], content)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLayerCannotLeaveDirectory(t *testing.T) {
	outside := t.TempDir()
	for name, files := range map[string][]file{
		"dots":             {{name: "../../../../../../" + outside + "/evil", content: "x"}},
		"a link":           {{name: "out", link: outside, kind: tar.TypeSymlink}, {name: "out/evil", content: "x"}},
		"a relative link":  {{name: "a/out", link: "../../../../../../.." + outside, kind: tar.TypeSymlink}, {name: "a/out/evil", content: "x"}},
		"overwrites":       {{name: "evil", link: outside + "/evil", kind: tar.TypeSymlink}, {name: "evil", content: "x"}},
		"hard link to out": {{name: "out", link: "../../../../../.." + outside + "/victim", kind: tar.TypeLink}},
		"hidden":           {{name: "out", link: outside, kind: tar.TypeSymlink}, {name: "out/.wh.victim"}},
	} {
		t.Run(name, func(t *testing.T) {
			victim := filepath.Join(outside, "victim")
			if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := container.NewStore(t.TempDir())
			// Import may reject an entry or keep it inside.
			err := s.Import(t.Context(), archive(t, map[string]v1.Image{"x:1": imageOf(t, v1.Config{}, layerOf(t, files...))}))
			entries, readErr := os.ReadDir(outside)
			if readErr != nil || len(entries) != 1 || entries[0].Name() != "victim" {
				t.Errorf("files outside: %v (%v); import: %v", entries, readErr, err)
			}
			if data, _ := os.ReadFile(victim); string(data) != "mine" {
				t.Errorf("victim: %q", data)
			}
		})
	}
}

func TestUnpackSkipsDevicesAndSetuid(t *testing.T) {
	s := container.NewStore(t.TempDir())
	imported(t, s, map[string]v1.Image{"x:1": imageOf(t, v1.Config{}, layerOf(t,
		file{name: "dev/null", kind: tar.TypeChar}, file{name: "su", content: "x", mode: 0o6755},
		file{name: "shut/", mode: 0o111}, file{name: "shut/in", content: "y", mode: 0o001}))})
	dir := found(t, s, "x:1").Layers[0]
	if _, err := os.Lstat(filepath.Join(dir, "dev/null")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("device exists: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "su"))
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("mode of su: %v (%v)", info.Mode(), err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "shut/in")); err != nil || string(data) != "y" {
		t.Errorf("the owner cannot read the file: %v", err)
	}
}

func TestUnusableImageDoesNotBlockOthers(t *testing.T) {
	good := imageOf(t, v1.Config{}, layerOf(t, file{name: "a", content: "a"}))
	c, err := good.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.Architecture = "pdp11"
	foreign, err := mutate.ConfigFile(good, c)
	if err != nil {
		t.Fatal(err)
	}
	s := container.NewStore(t.TempDir())
	err = s.Import(t.Context(), archive(t, map[string]v1.Image{"good:1": good, "foreign:1": foreign}))
	if err == nil || !strings.Contains(err.Error(), "foreign:1: built for linux/pdp11") {
		t.Errorf("import: %v", err)
	}
	found(t, s, "good:1")
}

func TestDamagedArchiveIsRejected(t *testing.T) {
	img := imageOf(t, v1.Config{}, layerOf(t, file{name: "a", content: strings.Repeat("abc", 10_000)}))
	whole := archive(t, map[string]v1.Image{"x:1": img}).Bytes()
	flipped := bytes.Replace(whole, []byte("abcabc"), []byte("abcxbc"), 1)
	for name, data := range map[string][]byte{
		"empty": nil, "no archive": []byte("hello"), "half": whole[:len(whole)/2], "flipped": flipped,
	} {
		dir := t.TempDir()
		s := container.NewStore(dir)
		if err := s.Import(t.Context(), bytes.NewReader(data)); err == nil {
			t.Errorf("%s: import succeeded", name)
		}
		if _, err := s.Find("x:1"); err == nil {
			t.Errorf("%s: image exists", name)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "tmp", "*")); len(left) > 0 {
			t.Errorf("%s: leftovers: %v", name, left)
		}
	}
}

func TestLayersAreRemovedWithLastReference(t *testing.T) {
	dir := t.TempDir()
	s := container.NewStore(dir)
	layers := func() int {
		entries, err := os.ReadDir(filepath.Join(dir, "layers"))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	shared := layerOf(t, file{name: "base", content: "b"})
	one := imageOf(t, v1.Config{}, shared, layerOf(t, file{name: "v", content: "1"}))
	two := imageOf(t, v1.Config{}, shared, layerOf(t, file{name: "v", content: "2"}))
	imported(t, s, map[string]v1.Image{"x:1": one, "x:also": one})
	imported(t, s, map[string]v1.Image{"x:1": two})
	if n := layers(); n != 3 {
		t.Errorf("%d layers with two images of one shared and one own layer", n)
	}
	if got := tree(t, found(t, s, "x:1"))["v"]; got != "2" {
		t.Errorf("x:1: %q", got)
	}
	imported(t, s, map[string]v1.Image{"x:also": two})
	if n := layers(); n != 2 {
		t.Errorf("%d layers with one image of two", n)
	}
}

func TestConcurrentImports(t *testing.T) {
	dir := t.TempDir()
	shared := layerOf(t, file{name: "base", content: "b"})
	var wg sync.WaitGroup
	for _, tag := range []string{"x:1", "x:2", "x:3", "x:4"} {
		img := imageOf(t, v1.Config{Cmd: []string{tag}}, shared)
		data := archive(t, map[string]v1.Image{tag: img})
		wg.Go(func() {
			if err := container.NewStore(dir).Import(t.Context(), data); err != nil {
				t.Errorf("%s: %v", tag, err)
			}
		})
	}
	wg.Wait()
	for _, tag := range []string{"x:1", "x:2", "x:3", "x:4"} {
		if i := found(t, container.NewStore(dir), tag); i.Cmd[0] != tag {
			t.Errorf("%s: command %s", tag, i.Cmd[0])
		}
	}
}

func TestDamagedStoreIsFilledAgain(t *testing.T) {
	dir := t.TempDir()
	s := container.NewStore(dir)
	img := map[string]v1.Image{"x:1": imageOf(t, v1.Config{}, layerOf(t, file{name: "a", content: "a"}))}
	imported(t, s, img)
	if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if has, err := s.Images(); err != nil || len(has) != 0 {
		t.Errorf("images without an index: %v (%v)", has, err)
	}
	imported(t, s, img)
	if err := os.RemoveAll(found(t, s, "x:1").Layers[0]); err != nil {
		t.Fatal(err)
	}
	if has, err := s.Images(); err != nil || len(has) != 0 {
		t.Errorf("images without files: %v (%v)", has, err)
	}
	imported(t, s, img)
	if got := tree(t, found(t, s, "x:1")); got["a"] != "a" {
		t.Errorf("images: %v", got)
	}
}
