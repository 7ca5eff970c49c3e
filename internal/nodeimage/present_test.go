package nodeimage

import (
	"context"
	"errors"
	"runtime"
)

// Present is Ensure without pulling or building. It returns ErrNoEngine if Docker does not work.
func Present(ctx context.Context, o Options) (Image, bool, error) {
	o = o.complete()
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil && !errors.Is(err, ErrNoSource) {
		return Image{}, false, err
	}
	return o.find(ctx, r)
}
