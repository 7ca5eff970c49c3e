package nodeimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fakeContainerd creates its socket and runs until it is stopped, unless it dies.
func fakeContainerd(dies error) reply {
	return reply{do: func(ctx context.Context, c command) error {
		if dies != nil {
			return &failure{command: "containerd", tail: "bolt: file locked", err: dies}
		}
		config, err := os.ReadFile(c.args[1])
		if err != nil {
			return err
		}
		socket := regexp.MustCompile(`\[grpc\]\naddress = "(.*)"`).FindStringSubmatch(string(config))[1]
		if err := os.WriteFile(socket, nil, 0o600); err != nil {
			return err
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}}
}

// storeStage returns the stage with fake results of the earlier stages.
func storeStage(t *testing.T, containerd, listing reply) (contentStore, *fakeRunner) {
	t.Helper()
	kind, built := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(kind, kindFilesDir, "etc/containerd/config.toml"), "sandbox_image = \"registry.test/pause:3.10\"\n")
	for _, image := range systemImages() {
		writeFile(t, filepath.Join(built, image.component, image.name), image.name)
	}
	if err := os.MkdirAll(filepath.Join(built, rootfsKey), 0o755); err != nil {
		t.Fatal(err)
	}
	writeTar(t, filepath.Join(built, rootfsKey, nettoolsTar), nil)
	r := &fakeRunner{replies: map[string]reply{
		"kubeadm config images list --kubernetes-version v1.36.3": {stdout: kubeadmList},
		"containerd --config": containerd,
		"ctr --address":       {do: ctr(listing)},
	}}
	return contentStore{
		arch: "amd64", kindDir: kind, version: "v1.36.3", runner: r,
		built: func(key string) string { return filepath.Join(built, key) },
	}, r
}

// ctr prints the listing for `images list`, and succeeds for all other commands.
func ctr(listing reply) func(context.Context, command) error {
	return func(_ context.Context, c command) error {
		if !strings.Contains(strings.Join(c.args, " "), "images list") {
			return nil
		}
		_, err := c.stdout.Write([]byte(listing.stdout))
		return err
	}
}

func TestContentStoreContainsImagesOfKubeadm(t *testing.T) {
	all := strings.ReplaceAll(kubeadmList, "pause:3.10.2", "pause:3.10") + podnetRef
	stage, r := storeStage(t, fakeContainerd(nil), reply{stdout: all})
	dir := t.TempDir()
	if err := stage.run(t.Context(), dir, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) != 0 {
		t.Errorf("the stage also left %v", left)
	}
	if r.count("containerd") != 1 {
		t.Errorf("ran %q", r.ran)
	}
}

func TestContentStoreReportsMissingImage(t *testing.T) {
	stage, _ := storeStage(t, fakeContainerd(nil), reply{stdout: "registry.test/pause:3.10"})
	err := stage.run(t.Context(), t.TempDir(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "did not import "+podnetRef) {
		t.Errorf("err = %v", err)
	}
}

func TestContentStoreReportsExitOfContainerd(t *testing.T) {
	died := errors.New("exit status 1")
	stage, _ := storeStage(t, fakeContainerd(died), reply{})
	err := stage.run(t.Context(), t.TempDir(), func(string) {})
	if !errors.Is(err, died) || !strings.Contains(err.Error(), "file locked") {
		t.Errorf("err = %v", err)
	}
}

func TestContentStoreStopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hangs := reply{do: func(ctx context.Context, _ command) error {
		cancel() // before containerd is ready
		<-ctx.Done()
		return context.Cause(ctx)
	}}
	stage, _ := storeStage(t, hangs, reply{})
	if err := stage.run(ctx, t.TempDir(), func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}
