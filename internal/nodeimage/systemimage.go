package nodeimage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// systemImage is an image with one binary and optional network tools. Digests use its field names.
type systemImage struct {
	name      string // the last path element of the image reference
	component string // key of the component with the binary, which is also called name
	entry     []string
	nettools  bool
}

// binDir is the directory of the binaries, in PATH and in kubeadm's manifest of kube-proxy.
const binDir = "/usr/local/bin"

// podnetRef is the image in files/default-cni.yaml. No public image has the registry localhost.
const podnetRef = "localhost/ingresslab/podnet:v1"

// systemImages returns a cluster's images. Without entry, kubeadm's manifests have the command.
func systemImages() []systemImage {
	return []systemImage{
		{name: "kube-apiserver", component: controlPlaneKey},
		{name: "kube-controller-manager", component: controlPlaneKey},
		{name: "kube-scheduler", component: controlPlaneKey},
		{name: "kube-proxy", component: kubernetesKey, nettools: true},
		{name: etcdProgram, component: etcdKey},
		{name: "coredns", component: "coredns", entry: []string{binDir + "/coredns"}},
		{name: "pause", component: "own", entry: []string{binDir + "/pause"}},
		{name: "podnet", component: "own", entry: []string{binDir + "/podnet"}, nettools: true},
	}
}

func systemImagesDescription() string { return fmt.Sprintf("%+v %s", systemImages(), podnetRef) }

// placed is a system image and its reference in the cluster.
type placed struct {
	systemImage

	ref string
}

// place assigns an image to containerd's sandbox image, the pod network, and each image of kubeadm
// except pause. A missing image is an error, because a node would wait for it forever.
func place(kubeadmList, sandbox string) ([]placed, error) {
	refs := []string{sandbox, podnetRef}
	for _, ref := range strings.Fields(kubeadmList) {
		if baseName(ref) != "pause" {
			refs = append(refs, ref)
		}
	}
	known := systemImages()
	result := make([]placed, 0, len(refs))
	for _, ref := range refs {
		at := slices.IndexFunc(known, func(i systemImage) bool { return i.name == baseName(ref) })
		if at < 0 {
			return nil, fmt.Errorf("the cluster requires image %s, but the recipe has no image %s", ref, baseName(ref))
		}
		result = append(result, placed{systemImage: known[at], ref: ref})
	}
	for _, image := range known {
		if !slices.ContainsFunc(result, func(p placed) bool { return p.name == image.name }) {
			return nil, fmt.Errorf("the output of kubeadm contains no image %s: %q", image.name, kubeadmList)
		}
	}
	return result, nil
}

// baseName returns the last path element of a reference, without the tag.
func baseName(ref string) string {
	base, _, _ := strings.Cut(path.Base(ref), ":")
	return base
}

var sandboxLine = regexp.MustCompile(`(?m)^\s*sandbox_image\s*=\s*"([^"]+)"`)

// sandboxImage returns the reference of the sandbox image of all pods.
func sandboxImage(containerdConfig string) (string, error) {
	match := sandboxLine.FindStringSubmatch(containerdConfig)
	if match == nil {
		return "", errors.New("sandbox_image not found in the kind module's configuration of containerd")
	}
	return match[1], nil
}

// writeArchive writes an archive for `ctr images import`. binary returns the path of a binary.
func writeArchive(ctx context.Context, file, arch, nettools string, images []placed, binary func(systemImage) string) error {
	tools, err := tarball.LayerFromFile(nettools, layerOptions()...)
	if err != nil {
		return fmt.Errorf("pack network tools: %w", err)
	}
	archive := map[name.Tag]v1.Image{}
	for _, image := range images {
		if err := context.Cause(ctx); err != nil { // compressing an image takes a second or more
			return err
		}
		tag, err := name.NewTag(image.ref)
		if err != nil {
			return fmt.Errorf("pack image %s: %w", image.ref, err)
		}
		var layers []v1.Layer
		if image.nettools {
			layers = append(layers, tools)
		}
		if archive[tag], err = image.pack(arch, binary(image.systemImage), layers); err != nil {
			return fmt.Errorf("pack image %s: %w", image.ref, err)
		}
	}
	return tarball.MultiWriteToFile(file, archive)
}

// layerOptions use fast compression, because every new node unpacks the layers.
func layerOptions() []tarball.LayerOption {
	return []tarball.LayerOption{tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithCompressedCaching}
}

func (i systemImage) pack(arch, binary string, below []v1.Layer) (v1.Image, error) {
	layer, err := binaryLayer(binary)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, append(below, layer)...)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", arch
	file.Config.Entrypoint = i.entry
	file.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	return mutate.ConfigFile(image, file)
}

// binaryLayer returns a reproducible layer with one file.
func binaryLayer(binary string) (v1.Layer, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	header := &tar.Header{
		Name: strings.TrimPrefix(path.Join(binDir, path.Base(binary)), "/"),
		Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg, Format: tar.FormatPAX,
	}
	if err := writer.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil }
	return tarball.LayerFromOpener(open, layerOptions()...)
}

// contentStore is the stage that creates /var/lib/containerd of a node with the system images. The
// database format is private, so the stage runs the new containerd for seconds, in new directories.
type contentStore struct {
	arch    string
	kindDir string                  // directory of the kind module
	built   func(key string) string // returns the directory of an earlier stage's result
	runner  runner
	version string // the Kubernetes version for kubeadm
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

// fill imports the archive into root and checks the names. If containerd exits, all commands stop.
func (s contentStore) fill(ctx context.Context, root, archive string, images []placed) (err error) {
	// Do not use the cache: a path in it can exceed 107 bytes, the limit for sockets (unix(7)).
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
			return fmt.Errorf("containerd did not import %s; it imported only %s", image.ref, list)
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

// startTimeout is generous: containerd only has to open an empty database.
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
