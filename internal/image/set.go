package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/adrg/xdg"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/filelock"
)

// Set is all images of the lab, made from one state of the sources.
type Set struct {
	// Controller is the reference of the controller's image that changes
	// whenever the image does. A pod that names it runs exactly this build.
	Controller string
	// Images has the controller's image first.
	Images []Image
}

// Options say what to build from and where to.
type Options struct {
	// Root is the checkout, see FindCheckout.
	Root string
	// CacheDir keeps the binaries; empty is a directory for this checkout under
	// the user's XDG cache directory. Deleting it costs a link, nothing else.
	CacheDir string
}

// Build compiles the programs and packs all images. With nothing changed it
// takes a second: Go's build cache remembers, and packing is only hashing.
func Build(ctx context.Context, o Options, progress cluster.Progress) (set *Set, err error) {
	done := progress.Step("Building the controller and the demo workloads")
	defer func() { done(err) }()
	if o.CacheDir == "" {
		o.CacheDir = filepath.Join(xdg.CacheHome, "ingresslab", "images", cacheName(o.Root))
	}
	// Two runs that link to the same file would read each other's halves.
	release, err := filelock.Acquire(ctx, o.CacheDir+".lock", func() {
		progress.Note("another ingresslab is building the images; waiting for it")
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

// cacheName tells checkouts apart by their path.
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
		if layers[r.program] == nil {
			binary, err := os.ReadFile(filepath.Join(dir, r.program))
			if err != nil {
				return nil, fmt.Errorf("image %s: %w", r.refs[0], err)
			}
			if layers[r.program], err = programLayer(r.program, binary); err != nil {
				return nil, fmt.Errorf("image %s: %w", r.refs[0], err)
			}
		}
		img, err := pack(r, layers[r.program])
		if err != nil {
			return nil, err
		}
		if i == 0 { // the controller
			id, err := v1.NewHash(img.ID)
			if err != nil {
				return nil, fmt.Errorf("image %s: %w", r.refs[0], err)
			}
			set.Controller = contentRef(Controller, id)
			img.Refs = append(slices.Clone(img.Refs), set.Controller)
		}
		set.Images = append(set.Images, img)
	}
	return set, nil
}
