package nodeimage

import (
	"context"
	"errors"
	"runtime"
)

// ControlPlanePresent is ControlPlane without compiling. It reports whether the programs exist.
func ControlPlanePresent(o Options) (Programs, bool, error) {
	o = o.complete()
	if o.KubeBin != "" {
		// ControlPlane checks the version.
		return Programs{Dir: o.KubeBin}, kubeBin(o.KubeBin).missing() == nil, nil
	}
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil {
		return Programs{}, false, err
	}
	p := o.programs(r)
	return p, kubeBin(p.Dir).missing() == nil, nil
}

// Present is Ensure without pulling or building. It returns ErrNoEngine if Docker does not work.
func Present(ctx context.Context, o Options) (Image, bool, error) {
	o = o.complete()
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil && !errors.Is(err, ErrNoSource) {
		return Image{}, false, err
	}
	return o.find(ctx, r)
}
