package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// contentStore is the stage that creates /var/lib/containerd of a node: the system images, so that
// containerd needs no registry.
//
// The format of containerd's database is private. Therefore, the stage runs the containerd that was
// just built for a few seconds, with its own directories and socket.
type contentStore struct {
	arch    string
	kindDir string // directory of the kind module
	// built returns the directory of an earlier stage's result.
	built  func(key string) string
	runner runner
	// version is the Kubernetes version for kubeadm.
	version string
}

// storeDir is the result of the stage.
const storeDir = "containerd"

// containerdNamespace is the namespace of containerd's CRI plugin, which has the kubelet's images.
const containerdNamespace = "k8s.io"

func (s contentStore) run(ctx context.Context, dir string, detail func(string)) error {
	detail("listing the images of kubeadm")
	images, err := s.required(ctx)
	if err != nil {
		return err
	}
	detail(fmt.Sprintf("packing %d images", len(images)))
	archive := filepath.Join(dir, "images.tar")
	binary := func(i systemImage) string { return filepath.Join(s.built(i.component), i.name) }
	nettools := filepath.Join(s.built(rootfsKey), nettoolsTar)
	if err := writeArchive(ctx, archive, s.arch, nettools, images, binary); err != nil {
		return err
	}
	detail("importing images into containerd's store")
	if err := s.fill(ctx, filepath.Join(dir, storeDir), archive, images); err != nil {
		return err
	}
	return os.Remove(archive)
}

// required returns the images that the kubeadm of the nodes lists.
func (s contentStore) required(ctx context.Context) ([]placed, error) {
	list, err := output(ctx, s.runner, command{
		name: filepath.Join(s.built(kubernetesKey), "kubeadm"),
		args: []string{"config", "images", "list", "--kubernetes-version", s.version},
	})
	if err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(s.kindDir, kindFilesDir, "etc/containerd/config.toml"))
	if err != nil {
		return nil, fmt.Errorf("read kind's files: %w", err)
	}
	sandbox, err := sandboxImage(string(config))
	if err != nil {
		return nil, err
	}
	return place(list, sandbox)
}

// fill runs containerd with data directory root, imports the archive, and checks the names of all
// images. If containerd exits, the other commands stop with its error.
func (s contentStore) fill(ctx context.Context, root, archive string, images []placed) (err error) {
	// Not in the cache, because the path of a socket is limited to 107 bytes (unix(7)).
	state, err := os.MkdirTemp("", "ingresslab-containerd-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(state)) }()
	socket, config := filepath.Join(state, "containerd.sock"), filepath.Join(state, "config.toml")
	if err := os.WriteFile(config, []byte(storeConfig(root, state, socket)), 0o600); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	var containerd sync.WaitGroup
	containerd.Go(func() {
		err := s.runner.run(ctx, command{
			name: filepath.Join(s.built("containerd"), "containerd"),
			args: []string{"--config", config, "--log-level", "warn"},
		})
		stop(errors.Join(errExited, err))
	})
	defer containerd.Wait()
	defer stop(errStopped)

	if err := s.await(ctx, socket); err != nil {
		return fmt.Errorf("start containerd: %w", err)
	}
	err = s.runner.run(ctx, s.ctr(socket, "images", "import", "--all-platforms", "--no-unpack", archive))
	if err != nil {
		return err
	}
	list, err := output(ctx, s.runner, s.ctr(socket, "images", "list", "--quiet"))
	if err != nil {
		return err
	}
	return errors.Join(missing(list, images), context.Cause(ctx))
}

// ctr returns a command of containerd's client.
func (s contentStore) ctr(socket string, args ...string) command {
	return command{
		name: filepath.Join(s.built("containerd"), "ctr"),
		args: append([]string{"--address", socket, "--namespace", containerdNamespace}, args...),
	}
}

func missing(list string, images []placed) error {
	present := map[string]bool{}
	for _, ref := range strings.Fields(list) {
		present[ref] = true
	}
	for _, image := range images {
		if !present[image.ref] {
			return fmt.Errorf("containerd did not import %s, only: %s", image.ref, list)
		}
	}
	return nil
}

var (
	errStopped = errors.New("containerd was stopped")
	errExited  = errors.New("containerd exited")
)

// storeConfig disables all plugins that run containers.
func storeConfig(root, state, socket string) string {
	return fmt.Sprintf(`version = 3
root = %q
state = %q
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
address = %q
[ttrpc]
address = %q
`, root, filepath.Join(state, "run"), socket, socket+".ttrpc")
}

// startTimeout is generous, because containerd only opens an empty database.
const startTimeout = 30 * time.Second

var errSlowStart = fmt.Errorf("not ready after %s", startTimeout)

// await waits until containerd is ready.
func (s contentStore) await(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errSlowStart)
	defer cancel()
	for {
		if _, err := os.Stat(socket); err == nil {
			if _, err := output(ctx, s.runner, s.ctr(socket, "version")); err == nil {
				return nil
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
