package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// forget drops images that no reference leads to.
func (x *index) forget() {
	used := map[string]bool{}
	for _, id := range x.Refs {
		used[id] = true
	}
	for id := range x.Images {
		if !used[id] {
			delete(x.Images, id)
		}
	}
}

// sweep removes the files of images that the index does not have, except for those in use: they go with a later import.
func (s *Store) sweep(x *index) error {
	needed := map[string]bool{}
	for _, r := range x.Images {
		for _, d := range r.Dirs {
			needed[d] = true
		}
		for _, d := range r.Layers {
			needed[d] = true
		}
	}
	var failed error
	for _, kind := range []string{"layers", "merged"} {
		entries, err := os.ReadDir(filepath.Join(s.dir, kind))
		failed = errors.Join(failed, err)
		for _, e := range entries {
			if rel := filepath.Join(kind, e.Name()); !needed[rel] {
				failed = errors.Join(failed, s.discard(rel))
			}
		}
	}
	if failed != nil {
		return fmt.Errorf("image store: remove what is not needed any more: %w", failed)
	}
	return nil
}

// discard removes a directory of files that nobody uses. It is out of sight before its first file is gone.
func (s *Store) discard(rel string) error {
	path := filepath.Join(s.dir, rel)
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read
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

// removeTree is os.RemoveAll, also for a tree with directories that their owner may not write to.
func removeTree(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(p, 0o700) //nolint:gosec // a directory; RemoveAll says what did not help
		}
		return nil
	})
	return os.RemoveAll(path)
}
