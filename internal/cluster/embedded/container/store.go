package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/sets"
)

// Store keeps images in a directory. Several processes can use it at once. An import takes a lock
// and replaces the index atomically, so readers need no lock.
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

type index struct {
	Refs   map[string]string  `json:"refs"`   // full references (name.Reference.Name) to IDs
	Images map[string]*record `json:"images"` // by ID
}

type record struct {
	Config v1.Config `json:"config"`
	Dirs   []string  `json:"dirs"`   // directories of its files, lowest first, relative to the store
	Layers []string  `json:"layers"` // directories of its layers, lowest first; equal to Dirs unless merged
}

const indexFile = "index.json"

// read returns the index. If the index is invalid, it returns an empty one for the next import.
func (s *Store) read() (*index, error) {
	x := &index{Refs: map[string]string{}, Images: map[string]*record{}}
	data, err := os.ReadFile(filepath.Join(s.dir, indexFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("image store: %w", err)
	}
	if err == nil && json.Unmarshal(data, x) != nil || x.Refs == nil || x.Images == nil {
		x = &index{Refs: map[string]string{}, Images: map[string]*record{}}
	}
	return x, nil
}

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

// Images returns a map from the short references in the store ("cheese:cheddar") to image IDs.
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

// complete reports whether the files of an image exist. Users can delete cached files.
func (s *Store) complete(r *record) bool {
	return r != nil && !slices.ContainsFunc(r.Dirs, func(d string) bool {
		_, err := os.Stat(filepath.Join(s.dir, d))
		return err != nil
	})
}

func shortRef(ref string) string {
	path, ok := strings.CutPrefix(ref, name.DefaultRegistry+"/")
	if !ok {
		return ref
	}
	return strings.TrimPrefix(path, "library/")
}

// Image is an image in a Store.
type Image struct {
	// Ref is the reference passed to Find. ID is the digest of the configuration ("sha256:...").
	Ref, ID string
	// These fields come from the configuration
	// (https://github.com/opencontainers/image-spec/blob/main/config.md).
	Entrypoint, Cmd, Env         []string
	WorkingDir, User, StopSignal string
	Layers                       []string // directories of unpacked layers, lowest first
}

// UnknownImageError reports a missing image. Known is the sorted list of the Store's references.
type UnknownImageError struct {
	Ref   string
	Known []string
}

func (e *UnknownImageError) Error() string {
	return fmt.Sprintf("image %q is not on this node, and embedded clusters do not pull images; available: %s; "+
		"run `ingresslab image load FILE` to add images from a `docker save` archive", e.Ref, strings.Join(e.Known, ", "))
}

// InvalidImageError reports an image reference with invalid syntax.
type InvalidImageError struct {
	Ref string
	Err error
}

func (e *InvalidImageError) Error() string { return fmt.Sprintf("image %q: %v", e.Ref, e.Err) }

// Unwrap returns the cause.
func (e *InvalidImageError) Unwrap() error { return e.Err }

// Images finds images; *Store implements it.
type Images interface {
	// Find returns an image. The error is an *UnknownImageError or an *InvalidImageError.
	Find(ref string) (*Image, error)
}

func (x *index) dropUnreferenced() {
	used := sets.New(slices.Collect(maps.Values(x.Refs))...)
	maps.DeleteFunc(x.Images, func(id string, _ *record) bool { return !used.Has(id) })
}

// sweep removes unused files. It skips files that containers use, so a later import removes them.
func (s *Store) sweep(x *index) error {
	needed := sets.New[string]()
	for _, r := range x.Images {
		needed.Insert(r.Dirs...).Insert(r.Layers...)
	}
	var failed error
	for _, kind := range []string{"layers", "merged"} {
		entries, err := os.ReadDir(filepath.Join(s.dir, kind))
		failed = errors.Join(failed, err)
		for _, e := range entries {
			if rel := filepath.Join(kind, e.Name()); !needed.Has(rel) {
				failed = errors.Join(failed, s.discard(rel))
			}
		}
	}
	if failed != nil {
		return fmt.Errorf("image store: remove unused files: %w", failed)
	}
	return nil
}

// discard removes an unused directory. It renames it first, so that readers never see a part of it.
func (s *Store) discard(rel string) error {
	path := filepath.Join(s.dir, rel)
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // read only
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil //nolint:nilerr // a container uses it
	}
	gone := filepath.Join(s.dir, "tmp", filepath.Base(rel))
	if err := errors.Join(removeTree(gone), os.Rename(path, gone)); err != nil {
		return err
	}
	return removeTree(gone)
}

// removeTree is like os.RemoveAll, but also removes directories without write permission.
func removeTree(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(p, 0o700) //nolint:gosec // a directory; RemoveAll reports what failed
		}
		return nil
	})
	return os.RemoveAll(path)
}

// leases prevent the removal of the store's directories while containers use them. Each directory
// has a shared flock(2). The kernel releases it when the process ends.
type leases struct {
	mu   sync.Mutex
	held map[string]*lease
}

type lease struct {
	file  *os.File
	users int
}

// acquire leases directories until release is called. It fails if a directory does not exist.
func (l *leases) acquire(dirs []string) (release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, d := range dirs {
		if err := l.add(d); err != nil {
			l.release(dirs[:i])
			return nil, err
		}
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.release(dirs)
	}), nil
}

func (l *leases) add(dir string) error {
	if held := l.held[dir]; held != nil {
		held.users++
		return nil
	}
	f, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("%s is being removed", dir), f.Close())
	}
	// The directory might have been removed between the calls of open(2) and flock(2).
	mine, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if theirs, err := os.Stat(dir); err != nil || !os.SameFile(mine, theirs) {
		return errors.Join(fmt.Errorf("%s is being removed", dir), f.Close())
	}
	if l.held == nil {
		l.held = map[string]*lease{}
	}
	l.held[dir] = &lease{file: f, users: 1}
	return nil
}

func (l *leases) release(dirs []string) {
	for _, d := range dirs {
		held := l.held[d]
		if held.users--; held.users == 0 {
			_ = held.file.Close() // read only
			delete(l.held, d)
		}
	}
}
