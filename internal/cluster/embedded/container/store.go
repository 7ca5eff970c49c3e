package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Store keeps images in a directory. Several processes can use it: an import takes a lock, and
// readers read an index that is replaced atomically.
//
//	index.json        references and image configurations
//	layers/HEX/       the files of a layer, by its diff ID
//	layers/HEX.wh/    the files of a layer with whiteouts
//	merged/HEX/       the files of an image by ID, if its layers cannot be stacked
//	tmp/              files of the current import
type Store struct{ dir string }

var _ Images = (*Store)(nil)

// NewStore returns the store in a directory. Import creates the directory.
func NewStore(dir string) *Store { return &Store{dir} }

// index is the content of index.json.
type index struct {
	Refs   map[string]string  `json:"refs"`   // full references (name.Reference.Name) to IDs
	Images map[string]*record `json:"images"` // by ID
}

// record is an image in the index.
type record struct {
	Config v1.Config `json:"config"`
	Dirs   []string  `json:"dirs"`   // its files, lowest first, relative to the store
	Layers []string  `json:"layers"` // its layers, lowest first; equal to Dirs unless merged
}

const indexFile = "index.json"

// read returns the index. An invalid index counts as empty, so that a new import fills it.
func (s *Store) read() (*index, error) {
	x := &index{}
	data, err := os.ReadFile(filepath.Join(s.dir, indexFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("image store: %w", err)
	}
	if err == nil && json.Unmarshal(data, x) != nil {
		x = &index{}
	}
	if x.Refs == nil {
		x.Refs = map[string]string{}
	}
	if x.Images == nil {
		x.Images = map[string]*record{}
	}
	return x, nil
}

// write replaces the index atomically.
func (s *Store) write(x *index) error {
	data, err := json.MarshalIndent(x, "", "\t")
	if err != nil {
		return err
	}
	next := filepath.Join(s.dir, "tmp", indexFile)
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(s.dir, indexFile))
}

// Images returns the short references in the store, such as "cheese:cheddar", with image IDs.
func (s *Store) Images() (map[string]string, error) {
	x, err := s.read()
	if err != nil {
		return nil, err
	}
	short := make(map[string]string, len(x.Refs))
	for ref, id := range x.Refs {
		if s.complete(x.Images[id]) {
			short[shortRef(ref)] = id
		}
	}
	return short, nil
}

// Find implements Images. ref is an image reference as in a manifest, or an image ID.
func (s *Store) Find(ref string) (*Image, error) {
	x, err := s.read()
	if err != nil {
		return nil, err
	}
	if r := x.Images[ref]; s.complete(r) {
		return s.image(ref, ref, r), nil
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, &InvalidImageError{Ref: ref, Err: errors.New("couldn't parse image name: invalid reference format")}
	}
	if id, ok := x.Refs[parsed.Name()]; ok && s.complete(x.Images[id]) {
		return s.image(ref, id, x.Images[id]), nil
	}
	var known []string
	for r := range x.Refs {
		known = append(known, shortRef(r))
	}
	slices.Sort(known)
	return nil, &UnknownImageError{Ref: ref, Known: known}
}

func (s *Store) image(ref, id string, r *record) *Image {
	i := &Image{
		Ref: ref, ID: id,
		Entrypoint: r.Config.Entrypoint, Cmd: r.Config.Cmd, Env: r.Config.Env,
		WorkingDir: r.Config.WorkingDir, User: r.Config.User, StopSignal: r.Config.StopSignal,
	}
	for _, d := range r.Dirs {
		i.Layers = append(i.Layers, filepath.Join(s.dir, d))
	}
	return i
}

// complete reports whether the files of an image exist, because users delete caches by hand.
func (s *Store) complete(r *record) bool {
	return r != nil && !slices.ContainsFunc(r.Dirs, func(d string) bool {
		_, err := os.Stat(filepath.Join(s.dir, d))
		return err != nil
	})
}

// shortRef removes the default registry and the "library/" prefix.
func shortRef(ref string) string {
	path, ok := strings.CutPrefix(ref, name.DefaultRegistry+"/")
	if !ok {
		return ref
	}
	return strings.TrimPrefix(path, "library/")
}

// Image is an image in a Store.
type Image struct {
	// Ref is the reference passed to Find, ID the digest of the image's configuration ("sha256:...").
	Ref, ID string
	// These fields come from the configuration
	// (https://github.com/opencontainers/image-spec/blob/main/config.md).
	Entrypoint, Cmd, Env         []string
	WorkingDir, User, StopSignal string
	// Layers are directories of unpacked layers, lowest first.
	Layers []string
}

// UnknownImageError reports a missing image. Known are the Store's references, sorted.
type UnknownImageError struct {
	Ref   string
	Known []string
}

func (e *UnknownImageError) Error() string {
	return fmt.Sprintf("image %q is not on this node, and embedded clusters do not pull images; available: %s; "+
		"run `ingresslab image load FILE` to add images from a `docker save` archive", e.Ref, strings.Join(e.Known, ", "))
}

// InvalidImageError reports an invalid reference.
type InvalidImageError struct {
	Ref string
	Err error
}

func (e *InvalidImageError) Error() string { return fmt.Sprintf("image %q: %v", e.Ref, e.Err) }

// Unwrap returns the cause.
func (e *InvalidImageError) Unwrap() error { return e.Err }

// Images finds images; *Store implements it.
type Images interface {
	// Find returns an image, an *UnknownImageError, or an *InvalidImageError.
	Find(ref string) (*Image, error)
}
