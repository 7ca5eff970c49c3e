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

// Store keeps images in a directory. Any number of processes may use the same one: who imports holds a lock, who finds
// reads one file that is replaced as a whole.
//
//	index.json        references, and what is known about every image
//	layers/HEX/       the files of one layer, by the digest of its uncompressed archive
//	layers/HEX.wh/    the same of a layer that hides files of those below it
//	merged/HEX/       the files of one image, by its ID, where its layers cannot be laid over each other as they are
//	tmp/              what an import is busy with; nothing of it counts
type Store struct{ dir string }

var _ Images = (*Store)(nil)

// NewStore returns the store in a directory, which Import makes if need be.
func NewStore(dir string) *Store { return &Store{dir} }

// index is what index.json holds.
type index struct {
	// Refs leads from full references (name.Reference.Name) to IDs.
	Refs map[string]string `json:"refs"`
	// Images are by ID.
	Images map[string]*record `json:"images"`
}

// record is an image in the index.
type record struct {
	Config v1.Config `json:"config"`
	// Dirs are its files, lowest first, relative to the store's directory.
	Dirs []string `json:"dirs"`
	// Layers are the directories of its layers, lowest first: Dirs, unless they were merged.
	Layers []string `json:"layers"`
}

const indexFile = "index.json"

// read returns what the store holds. An index that cannot be understood counts as empty: everything in it can be imported
// again, and is, by the next one who looks what is missing.
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

// write replaces the index as a whole.
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

// Images returns what the store holds: from each reference to the image's ID. References are as short as possible:
// "cheese:cheddar" without the registry that Docker would fill in.
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

// Find implements Images. ref is a reference as in a pod's manifest (no tag means "latest", a missing registry is Docker's),
// or the ID of an image.
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
	return nil, &UnknownImageError{Ref: ref, Known: known(x)}
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

// complete tells whether the files of an image are there: caches are deleted by hand, and not always as a whole.
func (s *Store) complete(r *record) bool {
	if r == nil {
		return false
	}
	for _, d := range r.Dirs {
		if _, err := os.Stat(filepath.Join(s.dir, d)); err != nil {
			return false
		}
	}
	return true
}

// known lists the references for a person who got one wrong.
func known(x *index) []string {
	var refs []string
	for ref := range x.Refs {
		refs = append(refs, shortRef(ref))
	}
	slices.Sort(refs)
	return refs
}

// shortRef leaves out what name.ParseReference would fill in again.
func shortRef(ref string) string {
	path, ok := strings.CutPrefix(ref, name.DefaultRegistry+"/")
	if !ok {
		return ref
	}
	return strings.TrimPrefix(path, "library/")
}
