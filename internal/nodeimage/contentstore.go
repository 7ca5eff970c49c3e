package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
// images.
func (s contentStore) fill(ctx context.Context, root, archive string, images []placed) (err error) {
	// Not in the cache, because the path of a socket is limited to 107 bytes (unix(7)).
	state, err := os.MkdirTemp("", "ingresslab-containerd-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(state)) }()
	store, err := s.start(ctx, root, state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.stop()) }()

	err = s.runner.run(ctx, s.ctr(store.socket, "images", "import", "--all-platforms", "--no-unpack", archive))
	if err != nil {
		return err
	}
	list, err := output(ctx, s.runner, s.ctr(store.socket, "images", "list", "--quiet"))
	if err != nil {
		return err
	}
	return missing(list, images)
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

// errStopped is the cause when stop ends containerd.
var errStopped = errors.New("containerd was stopped")

// server is a running containerd.
type server struct {
	socket string
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when containerd has ended and err is set
	err    error
}

// stop stops containerd and waits. It returns an error if containerd had already ended.
func (s *server) stop() error {
	s.cancel(errStopped)
	<-s.ended
	if errors.Is(s.err, errStopped) {
		return nil
	}
	return s.err
}

// start starts containerd and waits until it is ready.
func (s contentStore) start(ctx context.Context, root, state string) (*server, error) {
	socket := filepath.Join(state, "containerd.sock")
	config := filepath.Join(state, "config.toml")
	if err := os.WriteFile(config, []byte(storeConfig(root, state, socket)), 0o600); err != nil {
		return nil, err
	}
	runCtx, cancel := context.WithCancelCause(ctx)
	started := &server{socket: socket, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(started.ended)
		started.err = s.runner.run(runCtx, command{
			name: filepath.Join(s.built("containerd"), "containerd"),
			args: []string{"--config", config, "--log-level", "warn"},
		})
	}()
	if err := s.await(ctx, started); err != nil {
		stopErr := started.stop()
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause // stopErr is the same
		}
		return nil, fmt.Errorf("start containerd: %w", errors.Join(err, stopErr))
	}
	return started, nil
}

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

func (s contentStore) await(ctx context.Context, started *server) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errSlowStart)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(started.socket); err == nil {
			if _, err := output(ctx, s.runner, s.ctr(started.socket, "version")); err == nil {
				return nil
			}
		}
		select {
		case <-started.ended:
			return errors.New("it exited at once")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
