// Package image builds the container images of the lab without Docker. It compiles the controller
// and the demo workloads as static Linux binaries, packs each into an image without other files,
// and loads the images into the nodes that lack them.
//
// Read recipes first: it lists the images. The same sources and Go release give an identical image,
// so the digest of an image shows whether a node is up to date. A build needs the Go toolchain and
// the checkout with the sources (checkout.go).
package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/adrg/xdg"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/filelock"
)

// Version is the tag of the project's images in hand-written manifests.
const Version = "0.1.0"

// Controller is the name of the controller's image without a tag.
const Controller = "ingresslab/ingress-controller"

// nonRoot is the controller's user. Any ID except 0 works. Distroless images use this one.
const nonRoot = "65532:65532"

// recipe describes an image.
type recipe struct {
	refs       []string // references, the readable one first
	program    string   // the directory in cmd/
	links      []string // additional paths for the program
	entrypoint []string
	cmd        []string
	user       string // empty means root
}

// recipes returns the recipes of all images, with the names and tags in the labs. The workloads
// share a program, and the command selects its function. `kubectl run ... -- ARGS` replaces it.
func recipes() []recipe {
	list := []recipe{{
		refs:       []string{Controller + ":" + Version},
		program:    "ingress-controller",
		entrypoint: []string{"/ingress-controller"},
		user:       nonRoot,
	}}
	for _, cheese := range []string{"cheddar", "stilton", "wensleydale"} {
		list = append(list, workload("cheese:"+cheese, "cheese", "--cheese="+cheese))
	}
	for i, port := range []string{"8080", "9090"} {
		list = append(list, workload("backend:"+port, "backend", "--number="+strconv.Itoa(i+1), "--port="+port))
	}
	list = append(list, workload("default-backend:1.0", "default-backend", "--port=8080"))
	tools := workload("net-test:1.0", "net-test")
	// The program's name selects its function: `kubectl exec net-test -- curl ...` needs no shell.
	tools.links = []string{"bin/curl", "bin/nslookup", "bin/wget"}
	return append(list, tools)
}

// workload returns a demo image. It runs as root, because labs deploy it to port 80.
func workload(ref string, cmd ...string) recipe {
	return recipe{refs: []string{ref}, program: "workload", entrypoint: []string{"/workload"}, cmd: cmd}
}

// Set contains all images of the lab, built from the same state of the sources.
type Set struct {
	Controller string  // the controller's reference whose tag changes with the image
	Images     []Image // the controller's image is first
}

// Options configure a build.
type Options struct {
	Root string // the checkout; see FindCheckout
	// CacheDir contains binaries. The default is a directory for Root in the user's XDG cache.
	CacheDir string
}

// Build compiles the programs and packs all images. It takes a second if nothing has changed.
func Build(ctx context.Context, o Options, progress cluster.Progress) (set *Set, err error) {
	done := progress.Step("Building the controller and the demo workloads")
	defer func() { done(err) }()
	if o.CacheDir == "" {
		o.CacheDir = filepath.Join(xdg.CacheHome, "ingresslab", "images", cacheName(o.Root))
	}
	// Without the lock, two builds could link to the same file and read incomplete binaries.
	release, err := filelock.Acquire(ctx, o.CacheDir+".lock", func() {
		progress.Note("another ingresslab process is building the images; waiting for it")
	})
	if err != nil {
		return nil, err
	}
	defer release()
	list := recipes()
	if err := compile(ctx, o.Root, o.CacheDir, programs(list)); err != nil {
		return nil, err
	}
	return packAll(list, o.CacheDir)
}

// cacheName returns a name for the cache directory of a checkout.
func cacheName(root string) string {
	sum := sha256.Sum256([]byte(filepath.Clean(root)))
	return hex.EncodeToString(sum[:contentTagLength/2])
}

func programs(list []recipe) []string {
	var names []string
	for _, r := range list {
		if !slices.Contains(names, r.program) {
			names = append(names, r.program)
		}
	}
	return names
}

func packAll(list []recipe, dir string) (*Set, error) {
	set := &Set{}
	layers := map[string]v1.Layer{}
	for i, r := range list {
		img, err := packWith(r, layers, dir)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", r.refs[0], err)
		}
		if i == 0 { // the controller
			set.Controller = Controller + ":" + contentTag(img.ID)
			img.Refs = append(slices.Clone(img.Refs), set.Controller)
		}
		set.Images = append(set.Images, img)
	}
	return set, nil
}

// packWith packs an image from the binaries in dir. It reuses layers, and adds the program's layer.
func packWith(r recipe, layers map[string]v1.Layer, dir string) (Image, error) {
	if layers[r.program] == nil {
		binary, err := os.ReadFile(filepath.Join(dir, r.program))
		if err != nil {
			return Image{}, err
		}
		if layers[r.program], err = programLayer(r.program, binary); err != nil {
			return Image{}, err
		}
	}
	return pack(r, layers[r.program])
}

// Load loads images into all nodes in parallel. It skips images that a node has.
func Load(ctx context.Context, nodes []cluster.ImageNode, images []Image, progress cluster.Progress) (err error) {
	missing := make([][]Image, len(nodes))
	g, gctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		g.Go(func() error {
			present, err := n.Images(gctx)
			missing[i] = lacking(present, images)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	outdated := 0
	for _, m := range missing {
		if len(m) > 0 {
			outdated++
		}
	}
	if outdated == 0 {
		return nil
	}
	done := progress.Step(fmt.Sprintf("Loading images into %d of %d nodes", outdated, len(nodes)))
	defer func() { done(err) }()
	g, gctx = errgroup.WithContext(ctx)
	for i, n := range nodes {
		if len(missing[i]) > 0 {
			g.Go(func() error { return send(gctx, n, missing[i]) })
		}
	}
	return g.Wait()
}

// lacking returns the images that a node does not have under all their references.
func lacking(present map[string]string, images []Image) []Image {
	return slices.DeleteFunc(slices.Clone(images), func(i Image) bool {
		return !slices.ContainsFunc(i.Refs, func(ref string) bool { return present[ref] != i.ID })
	})
}

// send streams an archive of the images into a node.
func send(ctx context.Context, n cluster.ImageNode, images []Image) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := writeArchive(w, images)
		w.CloseWithError(err) // nil means the end of the file
		written <- err
	}()
	err := n.Import(ctx, r)
	// If the node stops reading, the writer must not block.
	_ = r.CloseWithError(io.ErrClosedPipe)
	// After a write error, the node reports only an incomplete archive, so return writeErr.
	if writeErr := <-written; writeErr != nil && !errors.Is(writeErr, io.ErrClosedPipe) {
		return writeErr
	}
	return err
}

// Push pushes images with the credentials of `docker login`. It skips images that the registry has.
// It returns a map from each reference to one in the registry, whose tag changes with the image.
func Push(ctx context.Context, registry string, images []Image, progress cluster.Progress) (refs map[string]string, err error) {
	done := progress.Step("Pushing images to " + registry)
	defer func() { done(err) }()
	refs = map[string]string{}
	for _, i := range images {
		ref, err := registryRef(registry, i)
		if err != nil {
			return nil, err
		}
		err = remote.Write(ref, i.img, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			return nil, fmt.Errorf("push %s: %w", ref, err)
		}
		for _, r := range i.Refs {
			refs[r] = ref.String()
		}
	}
	return refs, nil
}

// registryRef returns REGISTRY/cheese:cheddar-0123456789ab for the image cheese:cheddar.
func registryRef(registry string, i Image) (name.Tag, error) {
	ref, err := name.NewTag(strings.TrimSuffix(registry, "/") + "/" + i.Refs[0] + "-" + contentTag(i.ID))
	if err != nil {
		return name.Tag{}, fmt.Errorf("--registry %s: %w", registry, err)
	}
	return ref, nil
}
