package container_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

// changes is a command that changes the root directory, and its output.
const changes, changed = "write /etc/motd new ; write /made x ; read /etc/motd ; echo ; ls /etc", "new\ngroup\nmotd\npasswd\nresolv.conf\n"

func TestContainerDirectoryOnOverlay(t *testing.T) {
	nstest.Require(t)
	dir := t.TempDir()
	for _, d := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	merged := filepath.Join(dir, "merged")
	options := "lowerdir=" + dir + "/lower,upperdir=" + dir + "/upper,workdir=" + dir + "/work"
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(merged, unix.MNT_DETACH) }()
	s := spec(t, changes)
	s.Dir = filepath.Join(merged, "web")
	if got := logOf(t, s); got != changed {
		t.Errorf("got\n%s", got)
	}
}

func TestTooManyLayersAreCopied(t *testing.T) {
	s := spec(t, changes)
	image := *s.Image
	// The options exceed the limit of mount(2).
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 50))
	for i := range 30 {
		empty := filepath.Join(dir, strconv.Itoa(i))
		if err := os.MkdirAll(empty, 0o700); err != nil {
			t.Fatal(err)
		}
		image.Layers = append([]string{empty}, image.Layers...)
	}
	s.Image = &image
	if got := logOf(t, s); got != changed {
		t.Errorf("got\n%s", got)
	}
	s = spec(t, "read /etc/motd")
	s.Image = &image
	if got := logOf(t, s); got != "hello\n" {
		t.Errorf("next container: got\n%s", got)
	}
}

func TestSweepKeepsFilesOfRunningContainer(t *testing.T) {
	dir := t.TempDir()
	store := container.NewStore(dir)
	program := read(t, os.Getenv(toolPath))
	image := func(text string) map[string]v1.Image {
		return map[string]v1.Image{"tool:1": imageOf(t, v1.Config{},
			layerOf(t, file{name: "bin/tool", content: program}, file{name: "text", content: text}))}
	}
	imported(t, store, image("old"))
	s := spec(t, "lines ; read /text")
	s.Image, s.Stdin, s.StdinOnce = found(t, store, "tool:1"), true, true
	c := start(t, s)
	// For locks, a second Store counts as another process.
	imported(t, container.NewStore(dir), image("new"))
	if err := c.Attach(t.Context(), container.Exec{Stdin: strings.NewReader("")}); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if got := logText(t, s.Log); got != "old" && got != "old\n" {
		t.Errorf("container read %q", got)
	}
	if n := len(list(t, filepath.Join(dir, "layers"))); n != 2 {
		t.Errorf("%d layers with the old image in use, want 2", n)
	}
	imported(t, store, image("new"))
	if n := len(list(t, filepath.Join(dir, "layers"))); n != 1 {
		t.Errorf("%d layers afterwards, want 1", n)
	}
	if _, err := runtimeOf(t).Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), "image tool:1: ") {
		t.Errorf("start from a removed image: %v", err)
	}
}
