package nodeimage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/adrg/xdg"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// Options say where to look and what to do. The zero value, with Source set, is right for
// nearly everybody.
type Options struct {
	// Source is the root of the checkout, which holds the recipe. Without one an image can
	// be found and pulled, and not built.
	Source string
	// CacheDir keeps the results of stages, some 2 GB. Empty: ingresslab/node-image in the
	// user's cache directory ($XDG_CACHE_HOME).
	CacheDir string
	// Kind is the directory of kind's sources. Empty: the module that Source requires.
	Kind string
	// DebianMirror is the address of a Debian archive. Empty: what INGRESSLAB_DEBIAN_MIRROR
	// says, and if it says nothing, the archive that apt on this machine uses.
	DebianMirror string
	// KubeBin is a directory with ready programs of a control plane. Empty: what INGRESSLAB_KUBE_BIN says, and if it
	// says nothing, they are compiled. Only ControlPlane and ControlPlanePresent look at it.
	KubeBin string
	// Force builds from the start, even if there is an image.
	Force bool
	// Offline asks no image registry.
	Offline bool
	// Progress is told what happens; nil for none.
	Progress Progress

	runner   runner // nil: real processes
	machine  *host  // nil: this one
	imageRef string // empty: kind's default
}

// Where an image came from: the values of Image.Origin.
const (
	OriginPresent = "present" // it was there
	OriginPulled  = "pulled"  // a registry had it
	OriginBuilt   = "built"   // from modules and packages, just now
)

// Image is a node image that Docker has.
type Image struct {
	// Ref is the name to create nodes from. It never changes its meaning: it carries the
	// digest of the image or of its recipe.
	Ref string
	// KubernetesVersion is what nodes will report, as v1.36.3.
	KubernetesVersion string
	// Origin says what Ensure had to do; one of the constants.
	Origin string
}

// Present returns the image that Ensure would return without pulling or building anything,
// and whether there is one. The error is ErrNoEngine if Docker cannot be asked.
func Present(ctx context.Context, o Options) (Image, bool, error) {
	o = o.complete()
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil && !errors.Is(err, ErrNoSource) {
		return Image{}, false, err
	}
	return o.find(ctx, r)
}

// Ensure returns a node image that Docker has, and gets one if it has none; the package
// comment gives the order. Where it is there already this takes a fraction of a second,
// and a build takes minutes: Options.Progress tells which.
//
// A build that ctx ends leaves no process and nothing in Docker, and the stages it
// finished are not repeated. The error is ErrNoEngine or ErrCannotBuild where the machine
// is the reason.
func Ensure(ctx context.Context, o Options) (Image, error) {
	o = o.complete()
	// A recipe that cannot be read matters only when it comes to building.
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
		o.Progress.Note(fmt.Sprintf("cannot pull %s (%s): building a node image", withoutDigest(o.imageRef), reason(err)))
	}
	if recipeErr != nil {
		return Image{}, recipeErr
	}
	if err := o.build(ctx, r); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w; the next build goes on from here: %w", ctx.Err(), err)
		}
		return Image{}, err
	}
	return Image{Ref: r.ref(), KubernetesVersion: r.kubernetesVersion(), Origin: OriginBuilt}, nil
}

// complete fills in what was left to us.
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

// find looks in Docker: for what the recipe makes, unless there is none, and for kind's.
func (o Options) find(ctx context.Context, r recipe) (Image, bool, error) {
	candidates := []Image{
		{Ref: o.imageRef, KubernetesVersion: versionIn(o.imageRef)},
		// An image that came by `docker load` is known by its tag and not by its digest.
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

// versionIn is the tag of a reference: kind tags its images with the version in them.
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
