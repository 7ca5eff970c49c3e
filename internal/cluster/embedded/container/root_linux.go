package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Subdirectories of a container's directory.
const (
	rootDir   = "root"   // the mount point of its root directory
	upperDir  = "upper"  // its changes
	workDir   = "work"   // for overlayfs
	memoryDir = "memory" // its changes if they cannot be in upperDir
)

// mountRoot mounts the layers below a writable layer
// (https://docs.kernel.org/filesystems/overlayfs.html). It tries an overlay in the container's
// directory, an overlay in memory (if that directory is on an overlay), and a copy.
func (o *order) mountRoot(root string) error {
	first := o.mountOverlay(root, o.Dir)
	if first == nil {
		return nil
	}
	second := o.mountInMemory(root)
	if second == nil {
		return nil
	}
	if err := o.mountCopy(root); err != nil {
		return errors.Join(first, second, err)
	}
	return nil
}

const rootFlags = unix.MS_NOSUID | unix.MS_NODEV

func (o *order) mountOverlay(root, dir string) error {
	for _, d := range []string{upperDir, workDir} {
		// The root directory has the mode of the upper directory.
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil { //nolint:gosec // the usual mode in images
			return err
		}
	}
	var lower []string
	for _, l := range slices.Backward(o.Layers) {
		lower = append(lower, escape.Replace(l))
	}
	options := "lowerdir=" + strings.Join(lower, ":") +
		",upperdir=" + escape.Replace(filepath.Join(dir, upperDir)) +
		",workdir=" + escape.Replace(filepath.Join(dir, workDir)) +
		",volatile" // no sync to disk, because nothing outlives the container
	if o.Nested {
		options += ",userxattr"
	}
	if len(options) >= os.Getpagesize() {
		return fmt.Errorf("overlay: options have %d bytes, more than a page", len(options))
	}
	if err := unix.Mount("overlay", root, "overlay", rootFlags, options); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	return nil
}

// escape escapes the separators of mount options in paths.
var escape = strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`)

// mountInMemory mounts an overlay on a tmpfs in the container's directory.
func (o *order) mountInMemory(root string) error {
	memory := filepath.Join(o.Dir, memoryDir)
	if err := os.MkdirAll(memory, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", memory, "tmpfs", rootFlags, "mode=755"); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	return o.mountOverlay(root, memory)
}

// mountCopy copies the layers and mounts the copy.
func (o *order) mountCopy(root string) error {
	for _, l := range o.Layers {
		if err := copyTree(l, root); err != nil {
			return fmt.Errorf("copy: %w", err)
		}
	}
	return unix.Mount(root, root, "", unix.MS_BIND, "")
}

// copyTree copies directories, files, and symbolic links into another directory. It replaces
// existing files of another type.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(to, rel), info)
	})
}

func copyEntry(from, to string, info fs.FileInfo) error {
	if there, err := os.Lstat(to); err == nil && (!there.IsDir() || !info.IsDir()) {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	switch {
	case info.IsDir():
		if err := os.Mkdir(to, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return errors.Join(os.Symlink(link, to), sameOwner(to, info))
	default:
		if err := copyFile(from, to); err != nil {
			return err
		}
	}
	return errors.Join(sameOwner(to, info), os.Chmod(to, info.Mode().Perm()|info.Mode()&fs.ModeSticky))
}

func copyFile(from, to string) error {
	in, err := os.Open(filepath.Clean(from))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	out, err := os.OpenFile(filepath.Clean(to), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // uses copy_file_range(2)
	return errors.Join(err, out.Close())
}

func sameOwner(path string, info fs.FileInfo) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(s.Uid), int(s.Gid))
}
