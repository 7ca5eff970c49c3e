package container

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// mergeLayers merges layers into one directory with hard links
// (https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets). Paths are
// relative to the store.
func mergeLayers(store string, layers []string, dest string) (err error) {
	root, err := os.OpenRoot(store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := errors.Join(root.RemoveAll(dest), root.Mkdir(dest, 0o755), root.Chmod(dest, 0o755)); err != nil {
		return err
	}
	for _, l := range layers {
		if err := mergeDir(root, l, dest); err != nil {
			return err
		}
	}
	return nil
}

// mergeDir merges one directory into another. Whiteouts apply to lower layers, so they come first.
func mergeDir(root *os.Root, from, to string) error {
	entries, err := fs.ReadDir(root.FS(), from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := applyWhiteout(root, to, e.Name()); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), whiteoutPrefix) {
			continue
		}
		if err := mergeEntry(root, path.Join(from, e.Name()), path.Join(to, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

// applyWhiteout removes what a whiteout hides.
func applyWhiteout(root *os.Root, dir, name string) error {
	if name == opaqueMarker {
		below, err := fs.ReadDir(root.FS(), dir)
		for _, e := range below {
			err = errors.Join(err, root.RemoveAll(path.Join(dir, e.Name())))
		}
		return err
	}
	// Ignore names that lead out of the directory.
	if hidden, ok := strings.CutPrefix(name, whiteoutPrefix); ok && hidden != "" && hidden != "." && hidden != ".." {
		return root.RemoveAll(path.Join(dir, hidden))
	}
	return nil
}

func mergeEntry(root *os.Root, from, to string, e fs.DirEntry) error {
	below, err := root.Lstat(to)
	exists := err == nil
	if exists && (!below.IsDir() || !e.IsDir()) {
		if err := root.RemoveAll(to); err != nil {
			return err
		}
		exists = false
	}
	if !e.IsDir() {
		return root.Link(from, to)
	}
	if !exists {
		if err := root.Mkdir(to, 0o700); err != nil {
			return err
		}
	}
	if err := copyAttributes(root, from, to); err != nil {
		return err
	}
	return mergeDir(root, from, to)
}

// copyAttributes copies the owner and mode of a directory.
func copyAttributes(root *os.Root, from, to string) error {
	info, err := root.Lstat(from)
	if err != nil {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := root.Lchown(to, int(s.Uid), int(s.Gid)); err != nil {
			return err
		}
	}
	return root.Chmod(to, info.Mode().Perm()|info.Mode()&fs.ModeSticky)
}

// isInvalid reports whether the user namespace does not map a user ID.
func isInvalid(err error) bool { return errors.Is(err, syscall.EINVAL) }
