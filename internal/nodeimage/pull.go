package nodeimage

import (
	"context"
	"runtime"
)

// Pull returns a node image that Docker has, or else one that a registry gives, and builds none. Where no registry answers it
// fails within seconds. The error is ErrNoEngine if Docker cannot be asked.
func Pull(ctx context.Context, o Options) (Image, error) {
	o = o.complete()
	// Without a recipe there is still kind's own image to look for.
	r, _ := readRecipe(o.Source, runtime.GOARCH)
	image, found, err := o.find(ctx, r)
	if err != nil || found {
		return image, err
	}
	return o.pull(ctx)
}
