package nodeimage

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const kubeadmList = `registry.test/kube-apiserver:v1.36.3
registry.test/kube-controller-manager:v1.36.3
registry.test/kube-scheduler:v1.36.3
registry.test/kube-proxy:v1.36.3
registry.test/coredns/coredns:v1.14.2
registry.test/pause:3.10.2
registry.test/etcd:3.6.8-0
`

func TestPlaceAssignsBinaries(t *testing.T) {
	images, err := place(kubeadmList, "registry.test/pause:3.10")
	if err != nil {
		t.Fatal(err)
	}
	byRef := map[string]string{}
	for _, image := range images {
		byRef[image.ref] = image.name
	}
	for ref, want := range map[string]string{
		"registry.test/coredns/coredns:v1.14.2": "coredns",
		"registry.test/etcd:3.6.8-0":            "etcd",
		"registry.test/pause:3.10":              "pause", // from containerd, not from kubeadm
		podnetRef:                               "podnet",
	} {
		if byRef[ref] != want {
			t.Errorf("%s is %q, want %q", ref, byRef[ref], want)
		}
	}
	if _, listed := byRef["registry.test/pause:3.10.2"]; listed || len(images) != len(systemImages()) {
		t.Errorf("placed %v", byRef)
	}
}

func TestPlaceRejectsUnknownAndMissingImages(t *testing.T) {
	if _, err := place(kubeadmList+"registry.test/konnectivity:v1\n", "registry.test/pause:3.10"); err == nil ||
		!strings.Contains(err.Error(), "registry.test/konnectivity:v1") {
		t.Errorf("unknown image: error is %v", err)
	}
	short := strings.ReplaceAll(kubeadmList, "registry.test/etcd:3.6.8-0\n", "")
	if _, err := place(short, "registry.test/pause:3.10"); err == nil || !strings.Contains(err.Error(), "etcd") {
		t.Errorf("list without etcd: error is %v", err)
	}
}

func TestSandboxImage(t *testing.T) {
	config := "[plugins]\n  # use fixed sandbox image\n  sandbox_image = \"registry.test/pause:3.10\"\n  other = 1\n"
	if ref, err := sandboxImage(config); err != nil || ref != "registry.test/pause:3.10" {
		t.Errorf("got %q, %v", ref, err)
	}
	if _, err := sandboxImage("# sandbox_image = \"x\"\n"); err == nil {
		t.Error("parsed a comment as a setting")
	}
}

func TestManifestRunsBuiltImage(t *testing.T) {
	if !strings.Contains(podnetManifest, "image: "+podnetRef+"\n") {
		t.Errorf("files/default-cni.yaml does not run %s", podnetRef)
	}
}

func TestSystemImagesHaveComponent(t *testing.T) {
	built := map[string][]string{}
	for _, c := range components() {
		built[c.key] = c.binaries
	}
	for _, image := range systemImages() {
		if !slices.Contains(built[image.component], image.name) {
			t.Errorf("component %q does not build %s", image.component, image.name)
		}
	}
}

func TestArchiveContainsBinariesAndTools(t *testing.T) {
	dir := t.TempDir()
	for _, image := range systemImages() {
		writeFile(t, filepath.Join(dir, image.name), "I am "+image.name)
	}
	tools := filepath.Join(dir, "tools.tar")
	writeTar(t, tools, []tar.Header{{Name: "usr/sbin/nft", Mode: 0o755}})
	images, err := place(kubeadmList, "registry.test/pause:3.10")
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "images.tar")
	err = writeArchive(t.Context(), archive, "arm64", tools, images, func(i systemImage) string { return filepath.Join(dir, i.name) })
	if err != nil {
		t.Fatal(err)
	}
	proxy := contents(t, archive, "registry.test/kube-proxy:v1.36.3")
	if proxy["usr/local/bin/kube-proxy"] != "I am kube-proxy" {
		t.Errorf("the image of kube-proxy contains %v", proxy)
	}
	if _, ok := proxy["usr/sbin/nft"]; !ok {
		t.Errorf("the image of kube-proxy contains no tools: %v", proxy)
	}
	if pause := contents(t, archive, "registry.test/pause:3.10"); len(pause) != 1 {
		t.Errorf("the image of pause contains other files: %v", pause)
	}
}

// contents returns the files of an image in an archive.
func contents(t *testing.T, archive, ref string) map[string]string {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(archive, &tag)
	if err != nil {
		t.Fatal(err)
	}
	layers := mutate.Extract(image)
	defer func() { _ = layers.Close() }()
	return readTar(t, layers)
}

func readTar(t *testing.T, from io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	reader := tar.NewReader(from)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeSymlink {
			content = []byte("-> " + header.Linkname)
		}
		files[header.Name] = string(content)
	}
}

func writeTar(t *testing.T, path string, headers []tar.Header) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	writer := tar.NewWriter(file)
	for _, header := range headers {
		content := ""
		if header.Typeflag == 0 {
			header.Typeflag, content = tar.TypeReg, "base"
			header.Size = int64(len(content))
		}
		if err := writer.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
