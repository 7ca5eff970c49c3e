package container

import (
	"fmt"
	"strings"
)

// Image is an image that a Store holds.
type Image struct {
	// Ref is the reference it was found by, ID the digest of its configuration ("sha256:...").
	Ref, ID string
	// Entrypoint, Cmd, Env, WorkingDir, User and StopSignal are the image's own
	// (https://github.com/opencontainers/image-spec/blob/main/config.md).
	Entrypoint, Cmd, Env         []string
	WorkingDir, User, StopSignal string
	// Layers are directories with the unpacked layers, lowest first.
	Layers []string
}

// UnknownImageError says that the Store does not hold an image.
type UnknownImageError struct {
	Ref string
	// Known are the references the Store holds, sorted, without those that only carry a digest.
	Known []string
}

func (e *UnknownImageError) Error() string {
	return fmt.Sprintf("image %q is not on this node, and an embedded cluster pulls from no registry; it can run: %s; "+
		"`ingresslab image load FILE` adds those of a `docker save` archive", e.Ref, strings.Join(e.Known, ", "))
}

// InvalidImageError says that a reference is none.
type InvalidImageError struct {
	Ref string
	Err error
}

func (e *InvalidImageError) Error() string { return fmt.Sprintf("image %q: %v", e.Ref, e.Err) }

// Unwrap returns the cause.
func (e *InvalidImageError) Unwrap() error { return e.Err }

// Images finds images; *Store is one.
type Images interface {
	// Find returns an image the store holds. The error is an *UnknownImageError or an *InvalidImageError.
	Find(ref string) (*Image, error)
}
