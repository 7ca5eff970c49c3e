package nodeimage

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestLayerAddsFilesToRootFileSystem(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "rootfs.tar")
	writeTar(t, base, []tar.Header{
		{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./etc/passwd", Mode: 0o644},
		{Name: "./etc/crictl.yaml", Mode: 0o644},
		{Name: "./etc/hostname", Mode: 0o644},
		{Name: "./dev/null", Typeflag: tar.TypeChar, Mode: 0o666},
		{Name: "./usr/lib/systemd/system/sockets.target.wants/systemd-udevd-kernel.socket", Typeflag: tar.TypeSymlink, Linkname: "../x"},
		{Name: "./usr/lib/systemd/system/sockets.target.wants/dbus.socket", Typeflag: tar.TypeSymlink, Linkname: "../y"},
	})
	source := filepath.Join(dir, "kubelet")
	writeFile(t, source, "kubelet")
	over := tree{}
	over.file("etc/crictl.yaml", 0o644, "ours")
	over.copy("opt/bin/kubelet", 0o755, source)
	over.link("usr/sbin/init", "/usr/lib/systemd/systemd")
	over["var/lib"] = entry{mode: fs.ModeDir | 0o700}
	over.file("var/lib/x", 0o600, "x")

	layer := filepath.Join(dir, "layer.tar")
	if _, err := writeLayer(t.Context(), layer, base, over); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(layer)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	got := readTar(t, file)
	for name, want := range map[string]string{
		"./etc/passwd":    "base",
		"etc/crictl.yaml": "ours",
		"opt/bin/kubelet": "kubelet",
		"usr/sbin/init":   "-> /usr/lib/systemd/systemd",
		"./usr/lib/systemd/system/sockets.target.wants/dbus.socket": "-> ../y",
		"opt/bin/":  "",
		"var/lib/":  "",
		"var/lib/x": "x",
	} {
		if content, ok := got[name]; !ok || content != want {
			t.Errorf("%s is %q (there: %v), want %q", name, content, ok, want)
		}
		delete(got, name)
	}
	for name := range got {
		if !slices.Contains([]string{"./etc/", "opt/", "usr/", "usr/sbin/", "var/"}, name) {
			t.Errorf("the layer contains %s", name)
		}
	}
}

func TestLayerStopsWhenInterrupted(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "rootfs.tar")
	writeTar(t, base, []tar.Header{{Name: "./etc/passwd", Mode: 0o644}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := writeLayer(ctx, filepath.Join(dir, "layer.tar"), base, tree{}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// The test reads the archive with another library than the one that writes it.
func TestImageArchiveIsValid(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "rootfs.tar")
	writeTar(t, base, []tar.Header{{Name: "./etc/passwd", Mode: 0o644}})
	layer := filepath.Join(dir, "layer.tar")
	digest, err := writeLayer(t.Context(), layer, base, tree{})
	if err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, checkout(t))
	config, err := json.Marshal(nodeConfig(r, digest))
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, archiveFile)
	if err := writeImage(t.Context(), archive, r.ref(), config, layer); err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Errorf("invalid image: %v", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.Config.StopSignal != "SIGRTMIN+3" || file.Config.Labels[recipeLabel] != r.digests[nodeKey] {
		t.Errorf("config = %+v", file.Config)
	}
	if files := contents(t, archive, r.ref()); files["etc/passwd"]+files["./etc/passwd"] != "base" {
		t.Errorf("under %s are %v", r.ref(), files)
	}
}

func TestNodeTreeKeepsModesOfKindFiles(t *testing.T) {
	kind, built := t.TempDir(), t.TempDir()
	for _, name := range []string{"usr/local/bin/entrypoint", "kind/bin/hook.sh", "kind/README.txt"} {
		writeFile(t, filepath.Join(kind, kindFilesDir, name), name)
	}
	writeFile(t, filepath.Join(kind, kindFilesDir, "etc/containerd/config.toml"),
		"[runc.options]\n    SystemdCgroup = true\n[test-handler.options]\n    SystemdCgroup = true\n")
	blob := filepath.Join(built, imagesKey, storeDir, "content", "blob")
	writeFile(t, blob, "blob")
	over, err := nodeTree(kind, "v1.36.3", "{}", func(key string) string { return filepath.Join(built, key) })
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{
		"etc/containerd/config.toml":      0o644,
		"usr/local/bin/entrypoint":        0o755,
		"kind/bin/hook.sh":                0o755,
		"kind/README.txt":                 0o644,
		"kind/bin/restrict-oom-score.sh":  0o755,
		"usr/bin/kubelet":                 0o755,
		"var/lib/containerd/content/blob": 0o644,
	} {
		if e, ok := over[name]; !ok || e.mode != mode {
			t.Errorf("%s: exists is %v with mode %v, want %v", name, ok, e.mode, mode)
		}
	}
	config := string(over["etc/containerd/config.toml"].content)
	if strings.Count(config, "    SystemdCgroup = true\n    BinaryName = \"crun\"\n") != 2 ||
		!strings.Contains(config, ".cni]\n  use_internal_loopback = true\n") {
		t.Errorf("the configuration of containerd is %s", config)
	}
	if version := string(over["kind/version"].content); version != "v1.36.3" {
		t.Errorf("kind/version = %q", version)
	}
	if _, ok := over["kind/manifests/default-storage.yaml"]; ok {
		t.Error("the storage manifest needs an image that the node does not have")
	}
}

func TestNodeTreeRejectsUnknownContainerdConfig(t *testing.T) {
	kind := t.TempDir()
	file := filepath.Join(kind, kindFilesDir, "etc/containerd/config.toml")
	writeFile(t, file, "version = 9\n")
	_, err := nodeTree(kind, "v1.36.3", "{}", func(string) string { return t.TempDir() })
	if err == nil || !strings.Contains(err.Error(), "line \"SystemdCgroup = true\" not found in "+file) {
		t.Errorf("unknown configuration: error is %v", err)
	}
}

func TestCRIBase(t *testing.T) {
	base, err := criBase([]byte(`{"process":{"rlimits":[{"type":"RLIMIT_NOFILE"}],"cwd":"/"},"root":{"path":"rootfs"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(base, "rlimits") || strings.Contains(base, "hooks") || !strings.Contains(base, `"cwd":"/"`) {
		t.Errorf("base = %s", base)
	}
	if _, err := criBase([]byte("not JSON")); err == nil {
		t.Error("accepted invalid JSON")
	}
}
