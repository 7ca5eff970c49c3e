package container

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/sets"
)

// dropUnreferenced removes images without a reference.
func (x *index) dropUnreferenced() {
	used := sets.New(slices.Collect(maps.Values(x.Refs))...)
	maps.DeleteFunc(x.Images, func(id string, _ *record) bool { return !used.Has(id) })
}

// sweep removes unused files. A later import removes those that containers still use.
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

// discard removes an unused directory. It renames it first, so that no partial one is visible.
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

// empty removes everything in a directory.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, removeTree(filepath.Join(dir, e.Name())))
	}
	return err
}

// removeTree is os.RemoveAll that also removes directories without write permission.
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

// leases keep directories of the store from removal while containers use them. Each directory has
// one shared flock(2), which the kernel releases when the process ends.
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
	// The directory might have been removed between open and flock.
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
