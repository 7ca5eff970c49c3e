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

// systemImage is a container image of a cluster component: one binary, and optionally network
// tools. The names of the fields are part of the recipe's digest.
type systemImage struct {
	// name is the last path element of the image reference.
	name      string
	component string // key of the component with the binary, which is also called name
	entry     []string
	nettools  bool
}

// binDir is the directory of the binaries. It is in PATH, and kubeadm's manifest of kube-proxy uses
// it.
const binDir = "/usr/local/bin"

// podnetRef is the pod network's image in files/default-cni.yaml. Its registry is localhost, so the
// name cannot collide with a public image.
const podnetRef = "localhost/ingresslab/podnet:v1"

// systemImages returns all images that a cluster runs. The manifests of kubeadm specify the
// command, unless entry does.
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

// place assigns an image to each reference in a cluster: those that kubeadm lists except pause,
// containerd's sandbox image, and the pod network. It returns an error for a missing image, because
// a node without a registry would wait for it forever.
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

// writeArchive writes all images into one archive for `ctr images import`. binary returns the path
// of an image's binary.
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
