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
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// systemImage is a container image of the cluster itself: one binary, if need be on top of
// the network tools.
type systemImage struct {
	// name is the last path element of the reference that asks for the image.
	name      string
	component string // key of the component that has the binary, which is called name
	entry     []string
	nettools  bool
}

// binDir is where the binaries are: it is in PATH, and kubeadm's manifest of kube-proxy
// names it in full.
const binDir = "/usr/local/bin"

// podnetRef names the pod network's image, as files/default-cni.yaml does. Its "registry"
// is this machine, so no name can collide and no kubelet would ever get an answer there.
const podnetRef = "localhost/ingresslab/podnet:v1"

// systemImages are all that a cluster of this image runs. kubeadm's manifests say which
// program to start, except where there is an entry.
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

// placed is a system image and the reference under which it is looked for.
type placed struct {
	systemImage

	ref string
}

// place finds the image for each reference a cluster asks for: those that kubeadm lists,
// except for its pause, the sandbox image of containerd's configuration, and the pod
// network. A reference that nothing here can serve is an error, because a node without a
// registry would wait for it for ever.
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
			return nil, fmt.Errorf("the cluster asks for image %s, and the recipe has nothing called %s", ref, baseName(ref))
		}
		result = append(result, placed{systemImage: known[at], ref: ref})
	}
	for _, image := range known {
		if !slices.ContainsFunc(result, func(p placed) bool { return p.name == image.name }) {
			return nil, fmt.Errorf("kubeadm lists no image called %s: is the output complete? %q", image.name, kubeadmList)
		}
	}
	return result, nil
}

// baseName is the last path element of a reference without its tag.
func baseName(ref string) string {
	base, _, _ := strings.Cut(path.Base(ref), ":")
	return base
}

var sandboxLine = regexp.MustCompile(`(?m)^\s*sandbox_image\s*=\s*"([^"]+)"`)

// sandboxImage reads the reference of the image that containerd starts every pod with.
func sandboxImage(containerdConfig string) (string, error) {
	match := sandboxLine.FindStringSubmatch(containerdConfig)
	if match == nil {
		return "", errors.New("containerd's configuration in the kind module names no sandbox_image")
	}
	return match[1], nil
}

// writeArchive writes all images into one archive that containerd can import. binary
// tells where the binary of an image is.
func writeArchive(ctx context.Context, file, arch, nettools string, images []placed, binary func(systemImage) string) error {
	tools, err := tarball.LayerFromFile(nettools, layerOptions()...)
	if err != nil {
		return fmt.Errorf("pack network tools: %w", err)
	}
	archive := map[name.Tag]v1.Image{}
	for _, image := range images {
		if err := context.Cause(ctx); err != nil { // Compressing one takes a second or more.
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

// layerOptions compress lightly: a new node unpacks the layers, so they cost time twice.
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

// binaryLayer is a layer of one file. Its content depends on nothing but the binary.
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
