// Package nodeimage provides the node image of kind clusters, with or without an image registry.
//
// Ensure uses the first of these images:
//
//  1. the image of this checkout's recipe, if it was built before and is still in Docker;
//  2. the node image that the linked version of kind pins, if Docker has it;
//  3. the same image from a registry, if one answers within seconds;
//  4. the image of this checkout's recipe, built from Go modules and Debian packages.
//
// The Recipe lists the inputs of a built image. Its digest is the image's tag, so a change of an
// input causes a new build. A build is a list of stages. Each stage leaves a directory in the
// cache, named by the digest of the stage's inputs, so an interrupted build resumes.
//
// Read nodeimage.go first (the order above, and the stages), then recipe.go (the inputs) and
// command.go (run and resume stages). One file for each stage follows: rootfs.go, gobuild.go,
// systemimage.go, nodearchive.go. Package podnet is the pod network of a built image. modules/ has
// one Go module for each component, so that a build of the CLI does not compile Kubernetes.
package nodeimage

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/adrg/xdg"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// Options configure this package. Set at least Source.
type Options struct {
	// Source is the root of the checkout, with the recipe. Without it, Ensure cannot build.
	Source string
	// CacheDir keeps stages, about 2 GB. Default: $XDG_CACHE_HOME/ingresslab/node-image.
	CacheDir string
	Kind     string // the directory of kind's sources. Default: the module that Source requires.
	// DebianMirror is an archive's URL. Default: INGRESSLAB_DEBIAN_MIRROR, then apt's archive.
	DebianMirror string
	// KubeBin is a directory with a compiled control plane.
	// Default: INGRESSLAB_KUBE_BIN; if not set, ControlPlane compiles it.
	KubeBin  string
	Force    bool     // builds all stages again, even if there is an image
	Offline  bool     // disables pulling from an image registry
	Progress Progress // Progress receives the progress. It can be nil.

	runner   runner // default: processes
	machine  *host  // default: this machine
	imageRef string // default: kind's
}

// Values of Image.Origin.
const (
	OriginPresent = "present" // Docker already had it
	OriginPulled  = "pulled"  // from a registry
	OriginBuilt   = "built"   // from Go modules and Debian packages
)

// Image is a node image in Docker.
type Image struct {
	// Ref contains the digest of the image or of its recipe, so its content never changes.
	Ref               string
	KubernetesVersion string // the version that nodes report: v1.36.3
	Origin            string // where Ensure got the image: one of the constants
}

// Ensure returns a node image in Docker: the first that it can find, pull, or build (see above).
// A build takes several minutes. If ctx ends, the next build resumes it. The error is ErrNoEngine
// without Docker, and ErrCannotBuild if this machine cannot build an image.
func Ensure(ctx context.Context, o Options) (Image, error) {
	o = o.complete()
	// A recipe error matters only for a build.
	r, recipeErr := readRecipe(o.Source, runtime.GOARCH)
	image, found, err := o.find(ctx, r)
	if err != nil || found && !o.Force {
		return image, err
	}
	if !o.Offline && !o.Force {
		image, err := o.pull(ctx)
		if err == nil || ctx.Err() != nil {
			return image, err
		}
		o.Progress.Note(fmt.Sprintf("cannot pull %s (%s); building a node image", withoutDigest(o.imageRef), reason(err)))
	}
	if recipeErr != nil {
		return Image{}, recipeErr
	}
	if err := o.build(ctx, r); err != nil {
		return Image{}, resumable(ctx, err)
	}
	return Image{Ref: r.ref(), KubernetesVersion: r.kubernetesVersion(), Origin: OriginBuilt}, nil
}

// resumable adds to the error of an interrupted build how to resume it.
func resumable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("build interrupted (%w); run the command again to resume: %w", ctx.Err(), err)
	}
	return err
}

func (o Options) complete() Options {
	o.CacheDir = cmp.Or(o.CacheDir, filepath.Join(xdg.CacheHome, "ingresslab", "node-image"))
	o.DebianMirror = cmp.Or(o.DebianMirror, os.Getenv("INGRESSLAB_DEBIAN_MIRROR"))
	o.KubeBin = cmp.Or(o.KubeBin, os.Getenv(kubeBinVariable))
	o.imageRef = cmp.Or(o.imageRef, defaults.Image)
	if o.Progress == nil {
		o.Progress = silent{}
	}
	if o.runner == nil {
		o.runner = processes{}
	}
	if o.machine == nil {
		machine := thisHost()
		o.machine = &machine
	}
	return o
}

// find searches Docker for the recipe's image, if there is a recipe, and for kind's image.
func (o Options) find(ctx context.Context, r recipe) (Image, bool, error) {
	candidates := []Image{
		{Ref: o.imageRef, KubernetesVersion: versionIn(o.imageRef)},
		// After `docker load`, an image has its tag but not its digest.
		{Ref: withoutDigest(o.imageRef), KubernetesVersion: versionIn(o.imageRef)},
	}
	if r.digests[nodeKey] != "" {
		candidates = append([]Image{{Ref: r.ref(), KubernetesVersion: r.kubernetesVersion()}}, candidates...)
	}
	for _, image := range candidates {
		found, err := engine{o.runner}.has(ctx, image.Ref)
		if err != nil {
			return Image{}, false, err
		}
		if found {
			image.Origin = OriginPresent
			return image, true, nil
		}
	}
	return Image{}, false, nil
}

// versionIn returns the tag of a reference. kind uses the Kubernetes version as the tag.
func versionIn(ref string) string {
	tagged := withoutDigest(ref)
	return tagged[strings.LastIndexByte(tagged, ':')+1:]
}

func withoutDigest(ref string) string {
	tagged, _, _ := strings.Cut(ref, "@")
	return tagged
}

func (o Options) pull(ctx context.Context) (Image, error) {
	o.Progress.Begin(1, 1, "pull "+withoutDigest(o.imageRef))
	err := engine{o.runner}.pull(ctx, o.imageRef, o.Progress.Detail)
	if err != nil {
		o.Progress.End(OutcomeFailed)
		return Image{}, err
	}
	o.Progress.End(OutcomeDone)
	return Image{Ref: o.imageRef, KubernetesVersion: versionIn(o.imageRef), Origin: OriginPulled}, nil
}

func (o Options) build(ctx context.Context, r recipe) error {
	b := build{
		recipe: r, runner: o.runner, engine: engine{o.runner}, mirror: o.DebianMirror,
		pipeline: pipeline{purpose: "build node image", dir: o.CacheDir, progress: o.Progress, fresh: o.Force},
	}
	if err := o.machine.check(o.CacheDir, b.compiled() && !o.Force); err != nil {
		return err
	}
	b.kindDir = o.Kind
	if b.kindDir == "" {
		found, err := kindDirectory(ctx, o.runner, o.Source)
		if err != nil {
			return err
		}
		b.kindDir = found
	}
	return b.run(ctx)
}

// Pull is like Ensure, but never builds. It fails in seconds without a registry, or with ErrNoEngine.
func Pull(ctx context.Context, o Options) (Image, error) {
	o = o.complete()
	// Without a recipe, find searches only for kind's image.
	r, _ := readRecipe(o.Source, runtime.GOARCH)
	image, found, err := o.find(ctx, r)
	if err != nil || found {
		return image, err
	}
	return o.pull(ctx)
}

type build struct {
	recipe   recipe
	pipeline pipeline
	engine   engine
	runner   runner
	mirror   string
	kindDir  string
}

// stages returns a build's stages. The root file system is first, to find machine problems early.
func (b build) stages() []stage {
	stages := []stage{{
		name: "Debian root file system", key: rootfsKey, digest: b.recipe.digests[rootfsKey],
		run: rootfs{mirror: b.mirror, runner: b.runner}.run,
	}}
	for _, c := range components() {
		stages = append(stages, b.recipe.compile(c, b.runner))
	}
	store := contentStore{
		arch: b.recipe.arch, kindDir: b.kindDir, built: b.built, runner: b.runner, version: b.recipe.kubernetesVersion(),
	}
	archive := nodeArchive{recipe: b.recipe, kindDir: b.kindDir, built: b.built, runner: b.runner}
	return append(stages,
		stage{name: "system images", key: imagesKey, digest: b.recipe.digests[imagesKey], run: store.run},
		stage{name: "node image", key: nodeKey, digest: b.recipe.digests[nodeKey], run: archive.run})
}

// compile returns the stage that builds a component.
func (r recipe) compile(c component, with runner) stage {
	compile := goBuild{component: c, source: r.source, version: r.versions[c.key], arch: r.arch, runner: with}
	return stage{name: c.name, key: c.key, digest: r.digests[c.key], run: compile.run}
}

// built returns the directory of a stage's result.
func (b build) built(key string) string {
	return b.pipeline.path(stage{key: key, digest: b.recipe.digests[key]})
}

// compiled reports whether the stages that need the most time and disk space are done.
func (b build) compiled() bool {
	for _, key := range []string{controlPlaneKey, kubernetesKey} {
		if _, err := os.Stat(b.built(key)); err != nil {
			return false
		}
	}
	return true
}

// run builds the missing stages and loads the image into Docker.
func (b build) run(ctx context.Context) error {
	if err := b.pipeline.run(ctx, b.stages()); err != nil {
		return err
	}
	b.pipeline.progress.Note("loading the node image into Docker")
	if err := b.engine.load(ctx, filepath.Join(b.built(nodeKey), archiveFile)); err != nil {
		return err
	}
	return b.engine.removeOthers(ctx, repository, b.recipe.ref())
}

// kindDirectory returns the sources of the linked version of kind, and downloads them if necessary.
func kindDirectory(ctx context.Context, r runner, source string) (string, error) {
	answer, err := output(ctx, r, command{
		name: "go", args: []string{"mod", "download", "-json", kindModule},
		dir: source, env: []string{"GOWORK=off", "GOFLAGS=-mod=readonly"},
	})
	if err != nil {
		return "", fmt.Errorf("find the sources of %s: %w", kindModule, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(answer), &module); err != nil || module.Dir == "" {
		return "", fmt.Errorf("find the sources of %s: unexpected output of go mod download: %q", kindModule, answer)
	}
	return module.Dir, nil
}
