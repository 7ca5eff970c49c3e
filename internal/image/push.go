package image

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Push brings the images into a registry, as docker's own configuration lets this user (`docker login`), and returns for each
// of their references the one to pull, whose tag changes whenever the image does. registry is a host with a path or without
// ("registry.example.com/lab"). What the registry has already is not sent again.
func Push(ctx context.Context, registry string, images []Image, progress cluster.Progress) (refs map[string]string, err error) {
	done := progress.Step("Pushing images to " + registry)
	defer func() { done(err) }()
	refs = map[string]string{}
	for _, i := range images {
		ref, err := pushed(registry, i)
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

// pushed is the reference of an image in a registry: cheese:cheddar becomes REGISTRY/cheese:cheddar-0123456789ab.
func pushed(registry string, i Image) (name.Tag, error) {
	repository, tag, _ := strings.Cut(i.Refs[0], ":")
	_, hex, _ := strings.Cut(i.ID, ":")
	ref, err := name.NewTag(fmt.Sprintf("%s/%s:%s-%s", strings.TrimSuffix(registry, "/"), repository, tag, hex[:contentTagLength]))
	if err != nil {
		return name.Tag{}, fmt.Errorf("--registry %s: %w", registry, err)
	}
	return ref, nil
}

// WriteArchive writes all images of the set in the format of `docker save`, for nodes that are loaded by hand.
func (s *Set) WriteArchive(w io.Writer) error { return writeArchive(w, s.Images) }
